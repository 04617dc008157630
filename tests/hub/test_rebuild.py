"""The past from recorded facts: the same as it was lived, and what came too late is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, insert
from tests.hub.intake_world import CO2, HALL, NOW, PIR, World, world

from kokubus.messages import Side
from kokubus.occupancy import Belief
from kokubus.occupancy.calibration import Calibration
from kokubus_hub import cli, database, models
from kokubus_hub.models import table
from kokubus_hub.occupancy import calibrating, history, labels, rebuild, replay

pytestmark = pytest.mark.slow
MINUTE_MS, DAY_MS = 60_000, 86_400_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def lived(hub: World, hours: int = 30) -> None:
    """A day and a bit of people and air, told as it happens."""
    chance = Random(3)
    for minute in range(0, hours * 60, 2):
        hub.now = NOW + minute * MINUTE_MS
        letters = [
            hub.device.read(CO2, 450.0 + chance.random() * 200, hub.now),
            hub.device.read(PIR, float(chance.random() < 0.2), hub.now),
        ]
        if chance.random() < 0.05:
            side = chance.choice((Side.IN, Side.OUT))
            letters.append(hub.device.passage(hub.now + 300, side=side, tap=None))
        hub.take(*letters)
    hub.now += MINUTE_MS


def estimates(hub: World) -> list[dict[str, Any]]:
    rows = [row for row in hub.rows(models.Estimate) if row["room_id"] == HALL]
    return [
        {key: value for key, value in row.items() if key != "id"}
        for row in sorted(rows, key=lambda row: int(row["at"]))
    ]


def settle(hub: World) -> None:
    """What the worker does in the next seconds."""
    with database.reading(hub.engine) as connection:
        dirty = replay.dirty_rooms(connection)
    for room in dirty:
        with database.writing(hub.engine) as connection:
            replay.replay(connection, room, hub.now)
    with database.reading(hub.engine) as connection:
        silent = history.silent_rooms(connection, hub.now)
    for room in silent:
        with database.writing(hub.engine) as connection:
            history.linger(connection, room, hub.now)


def rebuilt(hub: World) -> None:
    assert [one.room for one in rebuild.rebuild(hub.engine, hub.now, ["dorf-hall"])] == [
        "dorf-hall"
    ]


def close(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> None:
    assert [row["at"] for row in left] == [row["at"] for row in right]
    for one, other in zip(left, right, strict=True):
        assert one["mean"] == pytest.approx(other["mean"], abs=1e-3)
        assert (one["low"], one["high"]) == (other["low"], other["high"])


def test_a_rebuilt_past_is_the_past_as_it_was_lived(hub: World) -> None:
    lived(hub)
    settle(hub)
    before = estimates(hub)
    assert len(before) > 350
    belief = Belief.from_json(hub.rows(models.Belief)[0]["state"])
    with database.writing(hub.engine) as connection:
        connection.execute(delete(table(models.Estimate)))
    rebuilt(hub)
    settle(hub)
    close(estimates(hub), before)
    again = Belief.from_json(hub.rows(models.Belief)[0]["state"])
    assert again.posterior == pytest.approx(belief.posterior, abs=1e-6)


def test_what_came_days_late_is_in_it(hub: World) -> None:
    lived(hub)
    hub.take(hub.device.passage(NOW + 20 * MINUTE_MS, tap=None))
    hub.take(hub.device.passage(NOW + 20 * MINUTE_MS + 15_000, tap=None))
    settle(hub)
    before = {row["at"]: row["mean"] for row in estimates(hub)}
    rebuilt(hub)
    after = {row["at"]: row["mean"] for row in estimates(hub)}
    mark = next(at for at in sorted(before) if at > NOW + 21 * MINUTE_MS)
    assert after[mark] > before[mark] + 0.5


def test_the_listener_goes_on_from_a_rebuilt_belief(hub: World) -> None:
    lived(hub, 3)
    rebuilt(hub)
    hub.take(hub.device.passage(hub.now, tap=None))
    assert hub.rows(models.Belief)[0]["at"] == hub.now
    assert hub.rows(models.Belief)[0]["dirty_since"] is None


def test_what_comes_late_after_a_rebuild_is_put_right_from_what_was_rebuilt(hub: World) -> None:
    """Who came in before the last half hour is still there."""
    for minutes in (*range(5), 119):
        hub.now = NOW + minutes * MINUTE_MS
        hub.take(hub.device.passage(hub.now, tap=f"t{minutes}"))
    hub.now += MINUTE_MS
    rebuilt(hub)
    before = Belief.from_json(hub.rows(models.Belief)[0]["state"])
    hub.take(hub.device.passage(NOW + 119 * MINUTE_MS - 30_000, tap="late"))
    settle(hub)
    after = Belief.from_json(hub.rows(models.Belief)[0]["state"])
    people = [sum(n * p for n, p in enumerate(one.posterior)) for one in (before, after)]
    assert people[1] > people[0] + 0.7
    assert people[1] > 4


def test_a_calibration_holds_from_its_instant_on(hub: World) -> None:
    strange = Calibration(days=9, quiet=9_000.0, false=1_500.0).to_json()
    row = {"room_id": HALL, "version": 1, "at": NOW + DAY_MS, "state": strange}
    lived(hub)
    rebuilt(hub)
    before = estimates(hub)
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Calibration)).values(row))
    rebuilt(hub)
    after = estimates(hub)
    differ = [b["at"] for a, b in zip(before, after, strict=True) if a["mean"] != b["mean"]]
    assert differ
    assert min(differ) >= NOW + DAY_MS


def test_a_damaged_calibration_is_none(hub: World) -> None:
    lived(hub, 3)
    rebuilt(hub)
    before = estimates(hub)
    row = {"room_id": HALL, "version": 1, "at": NOW + 60 * MINUTE_MS, "state": "{"}
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Calibration)).values(row))
    rebuilt(hub)
    close(estimates(hub), before)


def test_a_fact_of_a_clock_that_was_never_set_is_no_past(hub: World) -> None:
    hub.take(hub.device.passage(5_000))
    rebuilt(hub)
    assert estimates(hub) == []


def test_a_label_is_folded_in_within_the_workers_next_second(hub: World) -> None:
    lived(hub, 2)
    operator = hub.add(models.Operator, name="Ada", email="ada@example.org", created_at=NOW)
    with database.writing(hub.engine) as connection:
        room = calibrating.places.current(connection, None).rooms[HALL]
        labels.count(connection, room, 5, operator, hub.now)
    settle(hub)
    belief = Belief.from_json(hub.rows(models.Belief)[0]["state"])
    assert belief.posterior[5] > 0.6
    rebuilt(hub)
    assert Belief.from_json(hub.rows(models.Belief)[0]["state"]).posterior[5] > 0.6


def test_a_label_is_the_first_word_on_a_room(hub: World) -> None:
    operator = hub.add(models.Operator, name="Ada", email="ada@example.org", created_at=NOW)
    with database.writing(hub.engine) as connection:
        room = calibrating.places.current(connection, None).rooms[HALL]
        labels.count(connection, room, 3, operator, hub.now)
    settle(hub)
    assert Belief.from_json(hub.rows(models.Belief)[0]["state"]).posterior[3] > 0.6


def test_each_night_a_room_is_taught_its_day_once(hub: World) -> None:
    lived(hub, 40)
    for _ in range(4):
        calibrating.teach(hub.engine, hub.now)
    rows = hub.rows(models.Calibration)
    assert [(row["room_id"], row["version"]) for row in rows] == [(1, 1), (2, 1)]
    taught = Calibration.from_json(rows[0]["state"])
    assert taught.days == 1
    assert taught.quiet > 0
    assert Calibration.from_json(rows[1]["state"]).days == 0, "nobody told anything of the studio"


def test_by_hand(hub: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lived(hub, 3)
    (tmp_path / "kokubus.db").symlink_to(tmp_path / "hub.db")
    assert cli.main(["--data-dir", str(tmp_path), "rebuild-occupancy", "dorf-hall"]) == 0
    assert "dorf-hall: " in capsys.readouterr().out


def test_an_impossible_value_after_a_mark_makes_no_second_estimate(hub: World) -> None:
    lived(hub, 2)
    hub.take(hub.device.read(CO2, 0.0, NOW + 105_000))
    before = estimates(hub)
    rebuilt(hub)
    close(estimates(hub), before)
