"""Closing a site: what it hits is shown first, and it beats what is booked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import cli, database, models
from kokubus_hub.times import iso

SITE, ROOM = "ebhausen", "ebhausen-workroom"
SPAN = {"start": iso(NOW + HOUR_MS), "end": iso(NOW + 3 * HOUR_MS)}


def close(api: httpx.Client, **more: Any) -> httpx.Response:
    return api.post(f"/api/v1/sites/{SITE}/closures", json=SPAN | more)


def test_a_closure_that_hits_nothing_is_made_at_once(world: World, api: httpx.Client) -> None:
    made = close(api, reason="Betriebsversammlung")
    assert made.status_code == 201
    closure = made.json()
    assert closure == SPAN | {"id": 1, "site": SITE, "reason": "Betriebsversammlung"}
    assert api.get(f"/api/v1/sites/{SITE}/closures").json() == [closure]
    world.now = NOW + 3 * HOUR_MS
    assert api.get(f"/api/v1/sites/{SITE}/closures").json() == []


def test_the_bookings_it_hits_are_named_first(world: World, api: httpx.Client) -> None:
    member = world.member("Ada Probe")
    before = world.book(member, ROOM, NOW, NOW + HOUR_MS)
    hit = world.book(member, ROOM, NOW + 2 * HOUR_MS, NOW + 4 * HOUR_MS)
    world.book(member, ROOM, NOW + HOUR_MS, NOW + 2 * HOUR_MS, status="cancelled")
    answer = close(api)
    assert answer.status_code == 409
    assert [error["where"] for error in answer.json()["errors"]] == [f"booking {hit}"]
    assert "Ada" not in answer.text
    assert api.get(f"/api/v1/sites/{SITE}/closures").json() == []
    shown = api.get(f"/api/v1/sites/{SITE}/closures/hits", params=SPAN).json()
    assert [(one["booking"], one["room"]) for one in shown] == [(hit, ROOM)]
    assert close(api, confirmed=True).status_code == 201
    assert before != hit


def test_taking_a_closure_back(world: World, api: httpx.Client) -> None:
    first = close(api).json()["id"]
    assert api.delete(f"/api/v1/closures/{first}").status_code == 204
    assert api.delete(f"/api/v1/closures/{first}").status_code == 404
    second = close(api).json()["id"]
    world.now = NOW + 2 * HOUR_MS
    assert api.delete(f"/api/v1/closures/{second}").status_code == 204
    with database.reading(world.engine) as connection:
        (row,) = connection.execute(models.Closure.__table__.select())
    assert row.end == world.now
    assert api.delete(f"/api/v1/closures/{second}").status_code == 409


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"end": SPAN["start"]}, 422),
        ({"start": iso(NOW - 2 * HOUR_MS), "end": iso(NOW)}, 422),
        ({"end": iso(NOW + 400 * 24 * HOUR_MS)}, 422),
        ({"end": "2026-09-21T18:00"}, 422),
    ],
)
def test_what_is_refused(api: httpx.Client, more: dict[str, str], status: int) -> None:
    answer = close(api, **more)
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        *(status, "application/problem+json"),
    )


def test_a_site_nobody_knows(api: httpx.Client) -> None:
    assert api.post("/api/v1/sites/nowhere/closures", json=SPAN).status_code == 404
    assert api.get("/api/v1/sites/nowhere/closures").status_code == 404


def test_on_the_command_line(
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = 4_000_000_000_000  # 2096: the command line's clock is the machine's
    world.book(world.member("Ada Probe"), ROOM, far, far + HOUR_MS)
    when = ("--from", iso(far - HOUR_MS), "--until", iso(far + HOUR_MS))

    def say(*words: str) -> tuple[int, str]:
        code = cli.main(["--data-dir", str(tmp_path), "closure", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    code, said = say("add", SITE, *when)
    assert code == 1
    assert f"1\t{ROOM}\tm-00000001" in said
    assert "nothing was changed\n" in said
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "ja")
    code, said = say("add", SITE, *when, "--reason", "Umbau")
    assert (code, "closure 1: ebhausen is closed" in said) == (0, True)
    assert "Umbau" in say("list", SITE)[1]
    assert say("end", "1") == (0, "closure 1: taken back\n")
    assert say("add", SITE, *when, "--yes")[0] == 0
