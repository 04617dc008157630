"""A badge cannot be in two places sooner than a car drives from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.intake_world import HOUR_MS, NOW, World, world

from kokubus_hub import models
from kokubus_hub.travel import Travel, distance_km, too_fast

CALW, HERRENALB = (48.714, 8.740), (48.797, 8.437)
MINUTE_MS = 60_000
_numbers = count(1)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    """A building at Calw with door 1, and a container at Bad Herrenalb with door 4."""
    with world(tmp_path) as made:
        made.add(models.Site, slug="kubus", name="KoKubus", kind="container")
        made.add(models.Room, site_id=2, slug="kubus-cabin", name="Kubus", capacity=6)
        made.add(models.Device, site_id=2, slug="kubus-1")
        door = {"site_id": 2, "device_id": 3, "room_id": 3}
        made.add(models.Door, slug="kubus-door", name="Tür", **door)
        stand(made, 1, CALW, 0, None)
        stand(made, 2, HERRENALB, 0, NOW + 9 * HOUR_MS)
        made.member()
        made.member("04A3C6FFFFFF80")
        yield made


def stand(hub: World, site: int, at: tuple[float, float] | None, start: int, end: Any) -> int:
    position = {"latitude": at[0], "longitude": at[1]} if at else {}
    where = {"site_id": site, "municipality_id": 1, "start": start, "end": end}
    return hub.add(models.Placement, **where, **position)


def tap(hub: World, door: int, at: int, badge: int = 1, **values: Any) -> None:
    number = next(_numbers)
    row = {"tap": f"tap-{number}", "device_id": 1, "door_id": door, "at": at, "received_at": at}
    row |= {"epoch": "e", "seq": number, "boot": "b", "uptime_ms": 1, "clock": "synced"}
    row |= {"side": "in", "badge_id": badge, "member_id": badge, "granted": False}
    hub.add(models.AccessEvent, **(row | values))


def alarms(hub: World, travel: Travel | None = None) -> list[dict[str, Any]]:
    looking = travel or Travel(hub.engine, 100)
    looking.look(hub.now)
    return [row for row in hub.rows(models.Alarm) if row["kind"] == "impossible_travel"]


def test_two_minutes_from_calw_to_the_container(hub: World) -> None:
    tap(hub, 1, NOW - 2 * MINUTE_MS)
    tap(hub, 4, NOW)
    (alarm,) = alarms(hub)
    assert (alarm["site_id"], alarm["door_id"], alarm["member_id"], alarm["at"]) == (2, 4, 1, NOW)
    detail = alarm["detail"]
    assert (detail["before"], detail["minutes"]) == ("dorf-front", 2.0)
    assert 22 < detail["km"] < 25
    assert len(alarms(hub)) == 1


@pytest.mark.parametrize(("over", "raised"), [(1, 0), (-1, 1)])
def test_the_speed_is_what_counts(hub: World, over: int, raised: int) -> None:
    fair = int(distance_km(CALW, HERRENALB) / 100 * HOUR_MS)
    tap(hub, 1, NOW - fair - over)
    tap(hub, 4, NOW)
    assert len(alarms(hub)) == raised


def test_what_is_told_late_is_judged_by_when_it_was(hub: World) -> None:
    travel = Travel(hub.engine, 100)
    tap(hub, 1, NOW)
    assert alarms(hub, travel) == []
    tap(hub, 4, NOW - MINUTE_MS)
    (alarm,) = alarms(hub, travel)
    assert (alarm["door_id"], alarm["detail"]["before"]) == (1, "kubus-door")


def test_other_badges_other_clocks_and_unknown_ones_are_no_journey(hub: World) -> None:
    tap(hub, 1, NOW)
    tap(hub, 4, NOW, badge=2)
    tap(hub, 4, NOW, clock="untrusted")
    tap(hub, 4, NOW, badge_id=None)
    assert alarms(hub) == []


def test_a_container_is_where_it_stood_then(hub: World) -> None:
    stand(hub, 2, CALW, NOW + 9 * HOUR_MS, None)
    tap(hub, 1, NOW + 10 * HOUR_MS)
    tap(hub, 4, NOW + 10 * HOUR_MS + MINUTE_MS)
    assert alarms(hub) == []


def test_without_coordinates_nobody_can_say(hub: World) -> None:
    hub.clear(models.Placement)
    stand(hub, 1, None, 0, None)
    stand(hub, 2, HERRENALB, 0, None)
    tap(hub, 1, NOW)
    tap(hub, 4, NOW)
    assert alarms(hub) == []


def test_a_restarted_worker_goes_on_where_it_was(hub: World) -> None:
    tap(hub, 1, NOW - MINUTE_MS)
    alarms(hub)
    tap(hub, 4, NOW)
    assert len(alarms(hub)) == 1
    assert len(alarms(hub)) == 1


places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(places, places)
def test_a_distance_is_the_same_both_ways(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    assert distance_km(one, other) == pytest.approx(distance_km(other, one))
    assert 0 <= distance_km(one, other) <= 20_016
    assert distance_km(one, one) == pytest.approx(0)


def test_a_degree_of_latitude_is_111_km() -> None:
    assert distance_km((48.0, 8.0), (49.0, 8.0)) == pytest.approx(111.2, abs=0.1)
    assert not too_fast(0.9, 0, 100)
    assert too_fast(1.1, 0, 100)
