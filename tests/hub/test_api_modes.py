"""Lockdown and free passage over the API and on the command line."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import cli, database, models
from kokubus_hub.times import iso

SOON = iso(NOW + HOUR_MS)


@pytest.fixture(autouse=True)
def doors(world: World) -> tuple[str, str]:
    """(a door that may stand open, one that may not), by the demo's site files."""
    with database.reading(world.engine) as connection:
        rows = connection.execute(models.Door.__table__.select()).all()
    rated = [row.slug for row in rows if row.free_passage]
    return rated[0], "ebhausen-front"


def begin(api: httpx.Client, kind: str, **more: Any) -> dict[str, Any]:
    said = {"kind": kind, "reason": "Test of the bolts", "until": SOON} | more
    answer = api.post("/api/v1/modes", json=said)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def refused(api: httpx.Client, kind: str, **more: Any) -> tuple[int, str]:
    said = {"kind": kind, "reason": "Test of the bolts", "until": SOON} | more
    answer = api.post("/api/v1/modes", json=said)
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


def mode_of(api: httpx.Client, door: str) -> Any:
    return api.get(f"/api/v1/doors/{door}").json()["mode"]


def test_a_lockdown_of_one_door(world: World, api: httpx.Client, doors: tuple[str, str]) -> None:
    made = begin(api, "lockdown", door=doors[1])
    assert (made["scope"], made["doors"], made["on_the_door"]) == ("door", [doors[1]], [])
    assert (made["operator"], made["until"]) == ("Olga Probe", SOON)
    assert mode_of(api, doors[1])["kind"] == "lockdown"
    assert mode_of(api, doors[0]) is None
    world.now = NOW + HOUR_MS
    assert mode_of(api, doors[1]) is None
    assert api.get("/api/v1/modes").json() == []
    assert [one["id"] for one in api.get("/api/v1/modes?over=true").json()] == [made["id"]]


def test_a_lockdown_of_everything_until_it_is_taken_back(api: httpx.Client) -> None:
    made = begin(api, "lockdown", until=None)
    assert (made["scope"], made["until"]) == ("network", None)
    every = [door["id"] for door in api.get("/api/v1/doors").json()]
    assert sorted(made["doors"]) == sorted(every)
    assert api.delete(f"/api/v1/modes/{made['id']}").json()["until"] == iso(NOW)
    assert all(mode_of(api, door) is None for door in every)
    assert api.delete(f"/api/v1/modes/{made['id']}").status_code == 409


def test_free_passage_of_a_site_is_for_its_rated_doors(
    api: httpx.Client, doors: tuple[str, str]
) -> None:
    site = api.get(f"/api/v1/doors/{doors[0]}").json()["site"]
    made = begin(api, "free_passage", site=site)
    assert doors[0] in made["doors"]
    assert mode_of(api, doors[0])["kind"] == "free_passage"
    everywhere = begin(api, "free_passage")
    assert doors[1] not in everywhere["doors"]
    assert mode_of(api, doors[1]) is None


def test_a_strike_that_is_not_rated_is_not_held_back(
    api: httpx.Client, doors: tuple[str, str]
) -> None:
    status, said = refused(api, "free_passage", door=doors[1])
    assert status == 409
    assert "continuous_duty" in said
    site = api.get(f"/api/v1/doors/{doors[1]}").json()["site"]
    assert refused(api, "free_passage", site=site)[0] == 409


def test_lockdown_is_stronger_than_free_passage(api: httpx.Client, doors: tuple[str, str]) -> None:
    begin(api, "lockdown", door=doors[0])
    begin(api, "free_passage", door=doors[0])
    assert mode_of(api, doors[0])["kind"] == "lockdown"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"until": None}, 422),
        ({"until": iso(NOW)}, 422),
        ({"until": iso(NOW + 32 * 24 * HOUR_MS)}, 422),
        ({"start": iso(NOW + 2 * HOUR_MS)}, 422),
        ({"door": "nowhere"}, 404),
        ({"site": "nowhere"}, 404),
        ({"door": "x", "site": "y"}, 422),
        ({"reason": " "}, 422),
    ],
)
def test_what_is_refused(api: httpx.Client, more: dict[str, Any], status: int) -> None:
    assert refused(api, "free_passage", **more)[0] == status
    assert api.get("/api/v1/modes").json() == []


def test_a_mode_nobody_knows(api: httpx.Client) -> None:
    assert refused(api, "party")[0] == 422
    assert api.delete("/api/v1/modes/7").status_code == 404


def test_another_end(world: World, api: httpx.Client, doors: tuple[str, str]) -> None:
    made = begin(api, "lockdown", door=doors[1])
    later = iso(NOW + 3 * HOUR_MS)
    answer = api.patch(f"/api/v1/modes/{made['id']}", json={"until": later})
    assert answer.json()["until"] == later
    past = {"until": iso(NOW)}
    assert api.patch(f"/api/v1/modes/{made['id']}", json=past).status_code == 422
    assert api.patch("/api/v1/modes/99", json={"until": later}).status_code == 404
    world.now = NOW + 3 * HOUR_MS - 1
    assert mode_of(api, doors[1]) is not None


def test_one_that_is_to_come_never_begins_once_it_is_taken_back(
    world: World, api: httpx.Client, doors: tuple[str, str]
) -> None:
    later = iso(NOW + 2 * HOUR_MS)
    made = begin(api, "lockdown", door=doors[1], start=SOON, until=later)
    assert mode_of(api, doors[1]) is None
    api.delete(f"/api/v1/modes/{made['id']}")
    assert api.get("/api/v1/modes").json() == []
    assert api.delete(f"/api/v1/modes/{made['id']}").status_code == 409
    world.now = NOW + HOUR_MS
    assert mode_of(api, doors[1]) is None


def test_an_events_mode_is_its_bookings(
    world: World, api: httpx.Client, doors: tuple[str, str]
) -> None:
    booking = world.book(world.member("Ada Probe"), _room(api, doors[0]), NOW, NOW + HOUR_MS)
    of = world.id_of(models.Door, doors[0])
    mode = {"door_id": of, "kind": "free_passage", "start": NOW, "end": NOW + HOUR_MS}
    made = world.insert(models.DoorMode, **mode, booking_id=booking)
    (told,) = api.get("/api/v1/modes").json()
    assert (told["id"], told["booking"]) == (made, booking)
    assert api.delete(f"/api/v1/modes/{made}").status_code == 409


def _room(api: httpx.Client, door: str) -> str:
    return str(api.get(f"/api/v1/doors/{door}").json()["room"])


def test_which_doors_have_it(world: World, api: httpx.Client, doors: tuple[str, str]) -> None:
    device = api.get(f"/api/v1/doors/{doors[1]}").json()["device"]
    begin(api, "lockdown", door=doors[1])
    world.online(device, applied=world.change())
    (told,) = api.get("/api/v1/modes").json()
    assert told["on_the_door"] == [doors[1]]


def test_who_did_it_is_written_down(
    world: World, api: httpx.Client, doors: tuple[str, str]
) -> None:
    made = begin(api, "lockdown", door=doors[1])
    api.delete(f"/api/v1/modes/{made['id']}")
    with database.reading(world.engine) as connection:
        rows = connection.execute(models.Change.__table__.select()).all()[-2:]
    assert [row.what for row in rows] == [
        f"lockdown at {doors[1]}: Test of the bolts",
        f"lockdown {made['id']} taken back",
    ]
    assert all(row.operator_id == 1 for row in rows)


def test_only_operators_may(anybody: httpx.Client) -> None:
    assert anybody.get("/api/v1/modes").status_code == 401
    assert anybody.post("/api/v1/modes", json={}).status_code == 401


def test_on_the_command_line(
    world: World,
    doors: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def say(*words: str) -> tuple[int, str]:
        code = cli.main(["--data-dir", str(world.settings.data_dir), "mode", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    code, said = say("lockdown", "--door", doors[1], "--reason", "Wasserschaden")
    assert (code, said) == (0, f"mode 1: lockdown at {doors[1]}\n")
    code, said = say("list")
    assert "until it is taken back\t0 of 1 doors have it\tWasserschaden" in said
    assert say("end", "1") == (0, "mode 1: taken back\n")
    assert say("list") == (0, "")
    where = ("--door", doors[1])
    code, said = say("free-passage", *where, "--until", "2090-01-01", "--reason", "Fest")
    assert (code, "31 days" in said) == (2, True)
