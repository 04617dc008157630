"""Late evidence folded again: what a replay believes is what order would have believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete
from tests.core.strategies import trying
from tests.hub.intake_world import CO2, FRONT, HALL, INNER, NOW, PIR, World, world

from kokubus.messages import Side
from kokubus.occupancy import Belief
from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.occupancy import replay
from kokubus_hub.sorting import Letter

MINUTE_MS = 60_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For many examples; each begins by clearing what was heard."""
    with world(tmp_path_factory.mktemp("shared")) as made:
        yield made


def clear(hub: World) -> None:
    with database.writing(hub.engine) as connection:
        for model in (
            models.Belief, models.BeliefSnapshot, models.Passage, models.Reading, models.Spool,
        ):  # fmt: skip
            connection.execute(delete(table(model)))
    hub.intake._forget()


def beliefs(hub: World) -> dict[int, Belief]:
    return {row["room_id"]: Belief.from_json(row["state"]) for row in hub.rows(models.Belief)}


def dirty(hub: World) -> list[int]:
    with database.reading(hub.engine) as connection:
        return sorted(replay.dirty_rooms(connection))


def put_right(hub: World) -> None:
    for room in dirty(hub):
        with database.writing(hub.engine) as connection:
            replay.replay(connection, room, hub.now)
    assert dirty(hub) == []


def same(left: dict[int, Belief], right: dict[int, Belief]) -> None:
    assert left.keys() == right.keys()
    for room, one in left.items():
        other = right[room]
        assert one.posterior == pytest.approx(other.posterior, abs=1e-9)
        assert (one.at, one.events, one.pir, one.drift) == (
            other.at, other.events, other.pir, other.drift,
        )  # fmt: skip
        assert [at for at, _ in one.co2] == [at for at, _ in other.co2]


def test_a_late_passage_is_counted(hub: World) -> None:
    first, late, last = (hub.device.passage(NOW + n * 20_000, tap=f"t{n}") for n in range(3))
    hub.take(first, late, last)
    in_order = beliefs(hub)
    clear(hub)
    for letter in (first, last, late):
        hub.take(letter)
    assert dirty(hub) == [HALL]
    hub.now += MINUTE_MS
    put_right(hub)
    same(beliefs(hub), in_order)


def test_the_listener_goes_on_from_what_was_replayed(hub: World) -> None:
    letters = [hub.device.passage(NOW + n * 20_000, tap=f"t{n}") for n in range(4)]
    hub.now += MINUTE_MS
    hub.take(*letters)
    in_order = beliefs(hub)
    clear(hub)
    for n in (0, 2, 1):
        hub.take(letters[n])
    put_right(hub)
    hub.take(letters[3])
    same(beliefs(hub), in_order)
    assert dirty(hub) == []


def test_what_was_late_once_is_still_counted_when_something_later_is_late(hub: World) -> None:
    """A snapshot taken while something was missing must not serve the next replay."""
    letters = [hub.device.passage(NOW + n * 70_000, tap=f"t{n}") for n in range(6)]
    hub.now += 10 * MINUTE_MS
    hub.take(*letters)
    in_order = beliefs(hub)
    clear(hub)
    for n in (0, 2, 3, 1):
        hub.take(letters[n])
    put_right(hub)
    for n in (5, 4):
        hub.take(letters[n])
    put_right(hub)
    same(beliefs(hub), in_order)


def test_evidence_of_a_snapshots_own_instant_is_not_lost(hub: World) -> None:
    letters = [hub.device.read(CO2, 700.0), hub.device.passage(NOW)]
    later = hub.device.passage(NOW + 5_000, side=Side.OUT)
    hub.take(*letters, later)
    in_order = beliefs(hub)
    clear(hub)
    hub.take(hub.device.passage(NOW - 90_000))
    with_first = len(hub.rows(models.Passage))
    for letter in (letters[0], later, letters[1]):
        hub.take(letter)
    hub.now += MINUTE_MS
    put_right(hub)
    assert len(hub.rows(models.Passage)) == with_first + 2
    assert [event.at for event in beliefs(hub)[HALL].events] == [
        event.at for event in in_order[HALL].events
    ]


def test_what_is_half_an_hour_late_enters_the_history_alone(hub: World) -> None:
    hub.take(hub.device.passage(NOW - 40 * MINUTE_MS))
    hub.take(hub.device.passage(NOW))
    before = beliefs(hub)
    hub.take(hub.device.passage(NOW - 31 * MINUTE_MS))
    put_right(hub)
    assert beliefs(hub) == before
    assert len(hub.rows(models.Passage)) == 3


def test_a_backlog_of_days_does_not_keep_a_moments_delay_from_being_put_right(hub: World) -> None:
    first, late, last = (hub.device.passage(NOW + n * 20_000, tap=f"t{n}") for n in range(3))
    hub.now += MINUTE_MS
    hub.take(first, late, last)
    in_order = beliefs(hub)
    clear(hub)
    hub.take(first)
    hub.take(last)
    hub.take(hub.device.passage(NOW - 40 * MINUTE_MS))
    hub.take(late)
    put_right(hub)
    same(beliefs(hub), in_order)


def test_what_a_worker_that_was_away_cannot_put_right_hides_nothing_later(hub: World) -> None:
    first, lost, last = (hub.device.passage(NOW + n * 20_000, tap=f"t{n}") for n in range(3))
    hub.now += MINUTE_MS
    for one in (first, last, lost):
        hub.take(one)
    hub.now += 40 * MINUTE_MS
    now = [hub.device.passage(hub.now - n * 20_000, tap=f"n{n}") for n in range(3)]
    hub.take(now[2])
    hub.take(now[0])
    hub.take(now[1])
    put_right(hub)
    assert [event.at for event in beliefs(hub)[HALL].events] == [hub.now]
    hub.take(hub.device.passage(hub.now, side=Side.OUT))
    counted = sum(n * p for n, p in enumerate(beliefs(hub)[HALL].posterior))
    assert counted > 2.5, "three of now, one or two of before"


def test_a_quiet_room_is_replayed_from_the_last_it_was_seen(hub: World) -> None:
    """Its last snapshot is hours old, since nothing has happened: nothing is missing in it."""
    first, late, last = (hub.device.passage(NOW + at, tap=str(at)) for at in (-9_000_000, -9, 0))
    hub.take(first, late, last)
    in_order = beliefs(hub)
    clear(hub)
    hub.take(first)
    hub.take(last)
    with database.writing(hub.engine) as connection:
        replay.forget_snapshots(connection, hub.now)
    hub.take(late)
    put_right(hub)
    same(beliefs(hub), in_order)


def test_snapshots_are_forgotten_but_the_last_before_the_window(hub: World) -> None:
    for minutes in (90, 80, 70, 29, 2):
        hub.take(hub.device.passage(NOW - minutes * MINUTE_MS, INNER))
    with database.writing(hub.engine) as connection:
        replay.forget_snapshots(connection, NOW)
    kept = {(row["room_id"], (NOW - row["at"]) // MINUTE_MS)
            for row in hub.rows(models.BeliefSnapshot)}  # fmt: skip
    assert kept == {(room, minutes) for room in (1, 2) for minutes in (70, 29, 2)}


def test_a_room_nobody_knew_anything_of_begins_with_what_came_late(hub: World) -> None:
    first, second = (hub.device.passage(NOW - n * MINUTE_MS, tap=f"t{n}") for n in (1, 0))
    hub.take(first, second)
    in_order = beliefs(hub)
    clear(hub)
    hub.take(second)
    hub.take(first)
    put_right(hub)
    same(beliefs(hub), in_order)


@pytest.mark.parametrize("change", ["capacity", "damage"])
def test_a_snapshot_of_another_capacity_or_a_damaged_one_is_none(hub: World, change: str) -> None:
    hub.take(hub.device.passage(NOW - 5 * MINUTE_MS))
    hub.take(hub.device.passage(NOW))
    if change == "capacity":
        hub.set(models.Room, "dorf-hall", capacity=20)
        hub.take(hub.device.passage(NOW + 1))
    else:
        with database.writing(hub.engine) as connection:
            connection.execute(table(models.BeliefSnapshot).update().values(state="{}"))
    before = beliefs(hub)
    hub.take(hub.device.passage(NOW - MINUTE_MS))
    put_right(hub)
    assert beliefs(hub) == before


def test_a_clean_room_is_left_alone(hub: World) -> None:
    hub.take(hub.device.passage(NOW))
    (before,) = hub.rows(models.Belief)
    with database.writing(hub.engine) as connection:
        replay.replay(connection, HALL, NOW)
        replay.replay(connection, 77, NOW)
    assert hub.rows(models.Belief) == [before]


def test_what_a_clock_far_ahead_said_is_not_counted_by_a_replay_either(hub: World) -> None:
    hub.take(hub.device.passage(NOW - 5_000))
    hub.take(hub.device.passage(NOW))
    hub.take(hub.device.passage(NOW + 90 * MINUTE_MS))
    hub.take(hub.device.passage(NOW - 1_000))
    put_right(hub)
    assert beliefs(hub)[HALL].at == NOW


said = st.tuples(
    st.sampled_from(["passage", "inner", "leave", "nobody", "co2", "pir"]),
    st.integers(1, 40),
    st.integers(0, 3),
)


def letter(hub: World, kind: str, step: int, more: int) -> Letter:
    at = NOW - 20 * MINUTE_MS + step * 17_000 + more
    if kind in {"co2", "pir"}:
        value = 500.0 + 60.0 * more if kind == "co2" else float(more % 2)
        return hub.device.read(CO2 if kind == "co2" else PIR, value, at)
    door, side = (INNER if kind == "inner" else FRONT), (Side.OUT if kind == "leave" else Side.IN)
    tap = None if kind == "nobody" else f"t{step}-{more}-{kind}"
    return hub.device.passage(at, door, tap=tap, side=side)


@pytest.mark.slow
@trying
@given(
    st.lists(said, max_size=14, unique_by=lambda one: one[1:]),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
def test_in_whatever_order_evidence_arrives_a_replay_believes_what_order_would_have(
    shared: World, story: list[tuple[str, int, int]], order: object, size: int
) -> None:
    clear(shared)
    begin = shared.device.passage(NOW - 25 * MINUTE_MS, INNER)
    letters = [letter(shared, *each) for each in sorted(story, key=lambda one: one[1:])]
    for one in (begin, *letters):
        shared.take(one)
    assert dirty(shared) == []
    in_order = beliefs(shared)
    clear(shared)
    shared.take(begin)
    order.shuffle(letters)  # type: ignore[attr-defined]
    for start in range(0, len(letters), size):
        shared.take(*letters[start : start + size])
        if start % 2:
            put_right(shared)
    put_right(shared)
    same(beliefs(shared), in_order)
