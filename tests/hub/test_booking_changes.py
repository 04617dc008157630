"""Bookings that are moved, extended, filled and repeated; desks and rooms that are taken."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.small_hub import rows
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import models
from kokubus_hub.bookings import reconcile
from kokubus_hub.times import iso

HALL, MEETING = "ettmannsweiler-hall", "ettmannsweiler-meeting"
FRONT, INNER = "ettmannsweiler-front", "ettmannsweiler-meeting-door"
ADA, BEN = "m-00000001", "m-00000002"
DESKS = 12


@pytest.fixture(autouse=True)
def people(world: World) -> None:
    world.member("Ada Beispiel")
    world.member("Ben Muster")


def span(first: float, last: float) -> dict[str, str]:
    """Hours from now."""
    return {"start": iso(NOW + int(first * HOUR_MS)), "end": iso(NOW + int(last * HOUR_MS))}


def book(api: httpx.Client, room: str, first: float, last: float, **more: Any) -> httpx.Response:
    said = {"room": room, "member": ADA} | span(first, last) | more
    return api.post("/api/v1/bookings", json={k: v for k, v in said.items() if v is not None})


def booked(api: httpx.Client, room: str, first: float, last: float, **more: Any) -> dict[str, Any]:
    answer = book(api, room, first, last, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def changed(api: httpx.Client, booking: dict[str, Any], **what: Any) -> httpx.Response:
    return api.patch(f"/api/v1/bookings/{booking['id']}", json=what)


def seats(world: World) -> list[tuple[int, int]]:
    return [(row["booking_id"], row["seat"]) for row in rows(world.engine, models.Claim)]


def test_a_room_is_had_once_at_a_time(api: httpx.Client) -> None:
    first = booked(api, MEETING, 1, 3)
    for span_ in ((0, 2), (2, 4), (1, 3), (1.5, 2), (0, 5)):
        answer = book(api, MEETING, *span_, member=BEN)
        assert answer.status_code == 409
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert f"booking {first['id']}" in answer.json()["detail"]
    assert book(api, MEETING, 0, 1, member=BEN).status_code == 201
    assert book(api, MEETING, 3, 4, member=BEN).status_code == 201


def test_a_pool_has_as_many_desks_as_it_has(api: httpx.Client, world: World) -> None:
    booked(api, HALL, 1, 3, desks=DESKS - 1, people=11)
    booked(api, HALL, 2, 4, member=BEN)
    third = world.member("Cleo Probe")
    answer = book(api, HALL, 2, 3, member=f"m-{third:08d}")
    assert answer.status_code == 409
    assert "0 free desks" in answer.json()["detail"]
    assert sorted(seat for _, seat in seats(world)) == list(range(1, DESKS + 1))


def test_a_pool_as_a_whole(api: httpx.Client, world: World) -> None:
    one = booked(api, HALL, 2, 3)
    assert book(api, HALL, 1, 4, member=BEN, whole_room=True).status_code == 409
    api.delete(f"/api/v1/bookings/{one['id']}")
    whole = booked(api, HALL, 1, 4, member=BEN, whole_room=True)
    assert whole["desks"] is None
    assert len(seats(world)) == DESKS
    assert book(api, HALL, 2, 3).status_code == 409


@pytest.mark.parametrize(
    ("more", "said"),
    [({"people": 13}, "for 12 people"), ({"desks": 13}, "12 desks"), ({"desks": 0}, "desks")],
)
def test_more_than_a_room_has(api: httpx.Client, more: dict[str, Any], said: str) -> None:
    answer = book(api, HALL, 1, 2, **more)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_what_was_released_can_be_had_by_others(api: httpx.Client) -> None:
    mine = booked(api, MEETING, 1, 3)
    assert changed(api, mine, **span(5, 6)).status_code == 200
    assert book(api, MEETING, 1, 3, member=BEN).status_code == 201
    assert changed(api, mine, **span(2, 4)).status_code == 409
    api.delete(f"/api/v1/bookings/{mine['id']}")
    assert book(api, MEETING, 5, 6, member=BEN).status_code == 201


def test_extending_and_shortening_while_inside(api: httpx.Client, world: World) -> None:
    made = booked(api, MEETING, -1, 1)
    assert changed(api, made, end=iso(NOW + 2 * HOUR_MS)).json()["end"] == iso(NOW + 2 * HOUR_MS)
    assert changed(api, made, end=iso(NOW + HOUR_MS // 2)).json()["start"] == made["start"]
    booked(api, MEETING, 1, 2, member=BEN)
    answer = changed(api, made, end=iso(NOW + 2 * HOUR_MS))
    assert answer.status_code == 409
    kept = api.get(f"/api/v1/bookings/{made['id']}").json()
    assert kept["end"] == iso(NOW + HOUR_MS // 2), "what cannot be changes nothing"


def test_a_change_of_room_closes_the_old_door_too(api: httpx.Client, world: World) -> None:
    made = booked(api, MEETING, 1, 2)
    world.online("ettmannsweiler-1", applied=world.change())
    moved = changed(api, made, room=HALL).json()
    assert {one["door"]: one["state"] for one in moved["delivery"]} == {
        FRONT: "waiting",
        INNER: "waiting",
    }
    world.online("ettmannsweiler-1", applied=world.change())
    again = api.get(f"/api/v1/bookings/{made['id']}").json()
    assert (again["room"], again["delivered"]) == (HALL, True)


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ({"end": iso(NOW - HOUR_MS)}, 422),
        ({"start": iso(NOW + 3 * HOUR_MS)}, 422),
        ({"room": "nowhere"}, 404),
        ({"companions": ["m-nobody00"]}, 404),
        ({"kind": "event"}, 422),
    ],
)
def test_what_a_booking_cannot_become(
    api: httpx.Client, world: World, what: dict[str, Any], status: int
) -> None:
    made = booked(api, MEETING, 1, 2)
    before = world.change()
    answer = changed(api, made, **what)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert world.change() == before
    assert api.get(f"/api/v1/bookings/{made['id']}").json() == made


def test_what_was_cancelled_cannot_be_moved(api: httpx.Client) -> None:
    made = booked(api, MEETING, 1, 2)
    api.delete(f"/api/v1/bookings/{made['id']}")
    assert changed(api, made, title="doch").status_code == 409


def test_companions_and_guests(api: httpx.Client, world: World) -> None:
    visitor = {"email": "Gast@example.org", "name": "Greta Gast", "language": "en"}
    made = booked(api, MEETING, 1, 2, companions=[BEN, visitor], people=3)
    guest = rows(world.engine, models.Member)[-1]
    assert (guest["kind"], guest["email"], guest["language"]) == ("guest", "gast@example.org", "en")
    assert made["companions"] == [BEN, guest["slug"]]
    again = booked(api, MEETING, 3, 4, member=None, booker=visitor)
    assert again["member"] == guest["slug"]
    assert changed(api, made, companions=[]).json()["companions"] == []


def test_a_series_keeps_to_the_wall_clock(api: httpx.Client) -> None:
    friday = {"start": "2026-10-16T16:00:00Z", "end": "2026-10-16T18:00:00Z"}
    made = booked(
        api,
        MEETING,
        0,
        0,
        **friday,
        repeat={"rrule": "FREQ=WEEKLY;COUNT=4", "exdate": ["2026-10-30T17:00:00Z"]},
    )
    page = api.get("/api/v1/bookings", params={"uid": made["uid"]}).json()
    assert [one["start"] for one in page["items"]] == [
        "2026-10-16T16:00:00.000Z",
        "2026-10-23T16:00:00.000Z",
        "2026-11-06T17:00:00.000Z",
    ]
    gone = api.delete(f"/api/v1/bookings/series/{made['uid']}").json()
    assert [one["status"] for one in gone] == ["cancelled"] * 3


def test_a_series_is_booked_whole_or_not_at_all(api: httpx.Client, world: World) -> None:
    taken = booked(api, MEETING, 25, 26, member=BEN)
    answer = book(api, MEETING, 1, 2, repeat={"rrule": "FREQ=DAILY;COUNT=3"})
    assert answer.status_code == 409
    assert f"booking {taken['id']}" in answer.json()["detail"]
    assert len(rows(world.engine, models.Booking)) == 1


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=WEEKLY", "COUNT"),
        ("FREQ=MINUTELY;COUNT=5000", "more often than daily"),
        ("FREQ=DAILY;COUNT=400", "1 to 110"),
        ("COUNT=3", "FREQ"),
        ("nonsense", "rrule"),
    ],
)
def test_what_is_no_series(api: httpx.Client, world: World, rule: str, said: str) -> None:
    answer = book(api, MEETING, 1, 2, repeat={"rrule": rule})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert not rows(world.engine, models.Booking)


def test_an_event_holds_its_doors_open_for_its_time(api: httpx.Client, world: World) -> None:
    refused = book(api, MEETING, 1, 2, kind="event")
    assert refused.status_code == 422
    assert "free_passage" in refused.json()["detail"]
    for door in (FRONT, INNER):
        world.set(models.Door, door, free_passage=True)
    made = booked(api, MEETING, 1, 2, kind="event")
    assert open_(world) == [("free_passage", NOW + HOUR_MS, NOW + 2 * HOUR_MS)] * 2
    changed(api, made, **span(3, 4))
    assert open_(world) == [("free_passage", NOW + 3 * HOUR_MS, NOW + 4 * HOUR_MS)] * 2
    api.delete(f"/api/v1/bookings/{made['id']}")
    assert open_(world) == []


def test_a_whole_days_event_holds_its_doors_open_while_the_place_is(
    api: httpx.Client, world: World
) -> None:
    """Not from midnight to midnight."""
    for door in (FRONT, INNER):
        world.set(models.Door, door, free_passage=True)
    world.set(models.Site, "ettmannsweiler", opening={"tue": ["08:00-12:00", "14:00-18:00"]})
    day = NOW - NOW % (24 * HOUR_MS) + 22 * HOUR_MS  # 2026-09-22 begins, at the site
    told = {"room": MEETING, "member": ADA, "date": "2026-09-22", "kind": "event"}
    assert api.post("/api/v1/bookings", json=told).status_code == 201
    forenoon, afternoon = (
        ("free_passage", day + first * HOUR_MS, day + last * HOUR_MS)
        for first, last in ((8, 12), (14, 18))
    )
    assert open_(world) == [forenoon, afternoon] * 2
    world.set(models.Site, "ettmannsweiler", opening={"tue": ["14:00-18:00"]})
    assert reconcile.repair(world.engine, NOW, 24 * HOUR_MS) == 1
    assert open_(world) == [afternoon] * 2
    assert reconcile.repair(world.engine, NOW, 24 * HOUR_MS) == 0
    world.set(models.Site, "ettmannsweiler", opening={})
    assert reconcile.repair(world.engine, NOW, 24 * HOUR_MS) == 1
    assert open_(world) == []
    assert reconcile.repair(world.engine, NOW, 24 * HOUR_MS) == 0


def open_(world: World) -> list[tuple[str, int, int]]:
    return [(row["kind"], row["start"], row["end"]) for row in rows(world.engine, models.DoorMode)]
