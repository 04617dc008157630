"""Evidence folded as it comes: in order at once, out of order never."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.hub.intake_world import CO2, HALL, HOUR_MS, INNER, NOW, PIR, STUDIO, World, world

from kokubus.messages import Side
from kokubus.occupancy import Belief, estimate
from kokubus_hub import database, models, places

MINUTE_MS = 60_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def belief(hub: World, room: int = HALL) -> Belief:
    return Belief.from_json(stored(hub, room)["state"])


def stored(hub: World, room: int = HALL) -> dict[str, Any]:
    return next(row for row in hub.rows(models.Belief) if row["room_id"] == room)


def snapshots(hub: World) -> list[int]:
    return [row["at"] for row in hub.rows(models.BeliefSnapshot)]


def mean(hub: World, room: int = HALL) -> float:
    with database.reading(hub.engine) as connection:
        model = places.current(connection, None).rooms[room].model
    return estimate(model, belief(hub, room), belief(hub, room).at, open_=True).mean


def test_people_who_come_in_are_counted(hub: World) -> None:
    counts = []
    for number in range(4):
        hub.take(hub.device.passage(NOW + number * 15_000, tap=f"t{number}"))
        counts.append(mean(hub))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] + 2


def test_a_batch_is_folded_in_the_order_of_its_instants(hub: World, tmp_path: Path) -> None:
    said = [
        hub.device.passage(NOW + 40_000, side=Side.OUT),
        hub.device.read(CO2, 700.0, NOW + 20_000),
        hub.device.passage(NOW),
        hub.device.read(PIR, 1.0, NOW),
    ]
    hub.take(*said)
    assert stored(hub)["dirty_since"] is None
    (tmp_path / "in_order").mkdir()
    with world(tmp_path / "in_order") as other:
        for letter in (said[2], said[3], said[1], said[0]):
            other.take(letter)
        assert belief(other) == belief(hub)


def test_late_evidence_makes_the_room_dirty_and_moves_nothing(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    before = belief(hub)
    hub.take(hub.device.passage(NOW - 2))
    hub.take(hub.device.passage(NOW - 9))
    hub.take(hub.device.passage(NOW - 5))
    assert (belief(hub), stored(hub)["dirty_since"]) == (before, NOW - 9)
    hub.take(hub.device.passage(NOW + 5))
    assert stored(hub)["dirty_since"] == NOW - 9
    assert belief(hub).at == NOW + 5


def test_evidence_of_the_beginning_of_time_hides_none_that_can_still_be_put_right(
    hub: World,
) -> None:
    hub.take(hub.device.passage(NOW))
    hub.take(hub.device.passage(0))
    assert stored(hub)["dirty_since"] is None, "older than any replay goes back"
    hub.take(hub.device.passage(NOW - 1))
    hub.take(hub.device.passage(1))
    assert stored(hub)["dirty_since"] == NOW - 1
    hub.take(hub.device.passage(NOW - 2))
    assert stored(hub)["dirty_since"] == NOW - 2


def test_evidence_from_a_clock_far_ahead_is_kept_and_not_counted(hub: World) -> None:
    """Else every later passage would be late until that instant comes."""
    hub.take(hub.device.passage(NOW + HOUR_MS), hub.device.read(CO2, 900.0, NOW + HOUR_MS))
    assert hub.rows(models.Belief) == []
    assert len(hub.rows(models.Passage)) == len(hub.rows(models.Reading)) == 1
    hub.take(hub.device.passage(NOW + 30_000))
    assert belief(hub).at == NOW + 30_000


def test_rooms_are_apart(hub: World) -> None:
    hub.take(hub.device.passage(NOW, INNER))
    assert belief(hub, STUDIO).events[0].side == "in"
    assert belief(hub, HALL).events[0].side == "out"


def test_a_snapshot_a_minute(hub: World) -> None:
    for seconds in (0, 30, 59, 60, 90, 121, 300):
        hub.take(hub.device.passage(NOW + seconds * 1_000 - 300_000))
    assert snapshots(hub) == [NOW - 300_000 + s * 1_000 for s in (0, 60, 121, 300)]


def test_a_snapshot_holds_all_of_its_instant(hub: World) -> None:
    hub.take(hub.device.read(CO2, 700.0))
    hub.take(hub.device.passage(NOW))
    (snapshot,) = hub.rows(models.BeliefSnapshot)
    assert snapshot["state"] == stored(hub)["state"]


def test_readings_that_change_nothing_write_nothing(hub: World) -> None:
    hub.take(hub.device.read(CO2, 700.0))
    version = stored(hub)["version"]
    asked: list[str] = []
    event.listen(hub.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    hub.take(hub.device.read(CO2, 710.0, NOW + 1_000), hub.device.read(CO2, 1.0, NOW + 40_000))
    assert not [sql for sql in asked if "belief" in sql]
    assert stored(hub)["version"] == version
    assert len(hub.rows(models.Reading)) == 3


def test_another_listeners_belief_is_read_again(hub: World) -> None:
    second = World(hub.engine, hub.keyring)
    for number in range(6):
        one = (hub, second)[number % 2]
        one.take(hub.device.passage(NOW + number * 15_000, tap=f"t{number}"))
    alternating = belief(hub)
    hub.clear(models.Belief)
    hub.intake._fold.forget()
    for number in range(6):
        hub.take(hub.device.passage(NOW + number * 15_000, tap=f"u{number}"))
    assert belief(hub) == alternating


def test_a_room_of_another_capacity_begins_anew(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    hub.set(models.Room, "dorf-hall", capacity=20)
    hub.take(hub.device.passage(NOW + 1_000))
    assert len(belief(hub).posterior) == 27
    assert belief(hub).at == NOW + 1_000


@pytest.mark.parametrize("state", ["", "{}", "[1]", '{"v":9}'])
def test_a_damaged_belief_begins_anew(hub: World, state: str) -> None:
    hub.take(hub.device.passage(NOW))
    with database.writing(hub.engine) as connection:
        held = models.table(models.Belief)
        connection.execute(held.update().values(state=state, version=held.c.version + 1))
    hub.take(hub.device.passage(NOW + 1_000))
    assert belief(hub).at == NOW + 1_000


def test_a_night_is_predicted_as_a_night(hub: World) -> None:
    """Whoever was not seen leaving is gone by morning, and nobody came in the dark."""
    office = {day: ["08:00-17:00"] for day in ("mon", "tue")}
    hub.set(models.Site, "dorf", opening=office)
    for number in range(4):
        hub.take(hub.device.passage(NOW + number * 15_000, tap=f"t{number}"))
    hub.now = NOW + 15 * HOUR_MS + 50 * MINUTE_MS  # 08:03 on Tuesday
    hub.take(hub.device.read(PIR, 0.0, hub.now))
    night = belief(hub).posterior[0]
    always = {day: ["00:00-24:00"] for day in ("mon", "tue")}
    hub.set(models.Site, "dorf", opening=always)
    hub.clear(models.Belief)
    hub.intake._fold.forget()
    for number in range(4):
        hub.take(hub.device.passage(NOW + number * 15_000, tap=f"u{number}"))
    hub.take(hub.device.read(PIR, 0.0, hub.now))
    assert night > belief(hub).posterior[0] + 0.05


def test_a_room_silent_for_years_is_counted_again(hub: World) -> None:
    hub.take(hub.device.passage(1_000))
    hub.take(hub.device.passage(NOW))
    assert (belief(hub).at, stored(hub)["dirty_since"]) == (NOW, None)
