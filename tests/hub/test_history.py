"""Estimates every five minutes: exact, also where nothing happened or evidence came late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text
from tests.hub.intake_world import CO2, HALL, NOW, World, world

from kokubus.messages import Side
from kokubus.occupancy import Belief, estimate, predict
from kokubus_hub import database, models, places
from kokubus_hub.models import table
from kokubus_hub.occupancy import history, replay

MINUTE_MS = 60_000
MARK = -(-NOW // history.EVERY_MS) * history.EVERY_MS
"""The first mark after now."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def estimates(hub: World) -> list[dict[str, Any]]:
    found = [row for row in hub.rows(models.Estimate) if row["room_id"] == HALL]
    return sorted(found, key=lambda row: int(row["at"]))


def told(hub: World) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key != "id"} for row in estimates(hub)]


def linger(hub: World) -> None:
    with database.reading(hub.engine) as connection:
        rooms = history.silent_rooms(connection, hub.now)
    for room in rooms:
        with database.writing(hub.engine) as connection:
            history.linger(connection, room, hub.now)


def put_right(hub: World) -> None:
    with database.reading(hub.engine) as connection:
        rooms = replay.dirty_rooms(connection)
    for room in rooms:
        with database.writing(hub.engine) as connection:
            replay.replay(connection, room, hub.now)


def test_silent_rooms_are_found_without_reading_years_of_estimates(hub: World) -> None:
    asked = str(history._BELIEFS.compile(hub.engine, compile_kwargs={"literal_binds": True}))
    with database.reading(hub.engine) as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {asked}")).all()
    of_estimates = [row.detail for row in plan if "estimate" in row.detail]
    assert of_estimates
    assert all(detail.startswith("SEARCH estimate") for detail in of_estimates)


def test_an_estimate_is_what_the_belief_was_at_its_mark(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    stored = Belief.from_json(hub.rows(models.Belief)[0]["state"])
    hub.now = MARK + MINUTE_MS
    hub.take(hub.device.passage(MARK + 7_000, side=Side.OUT))
    (row,) = estimates(hub)
    with database.reading(hub.engine) as connection:
        model = places.current(connection, None).rooms[HALL].model
    wanted = estimate(model, predict(model, stored, MARK, open_=True), MARK, open_=True)
    assert (row["at"], row["median"], row["low"], row["high"]) == (
        MARK, wanted.median, wanted.low, wanted.high,
    )  # fmt: skip
    assert row["mean"] == pytest.approx(wanted.mean, abs=1e-4)
    assert row["variance"] == pytest.approx(wanted.variance, abs=1e-4)
    assert row["presence"] == pytest.approx(wanted.presence, abs=1e-6)
    assert (row["capacity"], set(row["weights"])) == (8, {"contact"})


def test_evidence_at_a_mark_is_in_its_estimate(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    hub.now = MARK + MINUTE_MS
    hub.take(hub.device.passage(MARK, tap=None))
    hub.take(hub.device.read(CO2, 700.0, MARK + 1_000))
    assert [row["at"] for row in estimates(hub)] == [MARK]
    assert estimates(hub)[0]["mean"] > 1.5


def test_a_silent_room_has_estimates_too(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    hub.now = MARK + 20 * MINUTE_MS + 59_000
    linger(hub)
    assert [row["at"] for row in estimates(hub)] == [MARK + n * 300_000 for n in range(4)]
    before = told(hub)
    linger(hub)
    assert told(hub) == before
    hub.now += 2_000
    linger(hub)
    assert len(estimates(hub)) == 5


def test_after_a_long_silence_a_day_is_written(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    hub.take(hub.device.passage(NOW + 40 * history.LONGEST_MS))
    assert len(estimates(hub)) <= 1, "a fact from a clock far ahead moves nothing"
    hub.now = NOW + 40 * history.LONGEST_MS
    hub.take(hub.device.passage(hub.now))
    assert len(estimates(hub)) == 288


def test_what_a_door_tells_after_an_outage_is_put_into_the_history(hub: World) -> None:
    """The marks were written as silent ones; the spooled facts come in order, hours later."""
    facts = [hub.device.passage(NOW + n * 7 * MINUTE_MS, tap=f"t{n}") for n in range(9)]
    hub.now = NOW + 70 * MINUTE_MS
    for letter in facts:
        hub.take(letter)
    linger(hub)
    in_order = told(hub)
    with database.writing(hub.engine) as connection:
        for model in (models.Belief, models.BeliefSnapshot, models.Passage, models.Spool,
                      models.Estimate):  # fmt: skip
            connection.execute(delete(table(model)))
    hub.intake._forget()
    hub.take(facts[0])
    linger(hub)
    assert told(hub) != in_order
    for letter in facts[1:]:
        hub.take(letter)
    linger(hub)
    assert told(hub) == in_order


def test_late_evidence_rewrites_the_estimates_after_it_under_new_ids(hub: World) -> None:
    hub.now = NOW + 20 * MINUTE_MS
    hub.take(hub.device.passage(NOW - 10 * MINUTE_MS))
    late = hub.device.passage(NOW + MINUTE_MS, tap=None)
    hub.take(hub.device.passage(NOW + 18 * MINUTE_MS, side=Side.OUT))
    before = {row["at"]: row for row in estimates(hub)}
    hub.take(late)
    put_right(hub)
    linger(hub)
    after = {row["at"]: row for row in estimates(hub)}
    assert after.keys() == before.keys()
    newest = max(row["id"] for row in before.values())
    for at, row in after.items():
        if at > NOW + MINUTE_MS:
            assert row["mean"] > before[at]["mean"] + 0.5
            assert row["id"] > newest
        else:
            assert row["mean"] == before[at]["mean"]


def test_old_estimates_are_dropped_in_lots_and_the_belief_stays(hub: World) -> None:
    hub.take(hub.device.read(CO2, 500.0, NOW))
    hub.now = NOW + 60 * MINUTE_MS
    linger(hub)
    before = estimates(hub)
    border = before[5]["at"]
    with database.writing(hub.engine) as connection:
        assert history.forget(connection, border, most=3) == 3
        assert history.forget(connection, border, most=3) == 2
        assert history.forget(connection, border, most=3) == 0
    assert estimates(hub) == before[5:]
    linger(hub)
    assert estimates(hub) == before[5:], "what was dropped is not written again"
