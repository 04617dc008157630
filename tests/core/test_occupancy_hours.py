"""Days and nights: opening hours, closing resets, labels, and what light comes to mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trying import examples

from kokubus.messages import Side
from kokubus.occupancy import (
    Belief,
    ClosingReset,
    Co2,
    Evidence,
    HeadCount,
    Indirect,
    Learned,
    Passage,
    Pir,
    RoomModel,
    Sensor,
    Timetable,
    estimate,
    fold,
    initial,
    predict,
    through,
    update,
)

HOUR = 3_600_000
MINUTE = 60_000
DAY = 24 * HOUR
ROOM = RoomModel(capacity=8, volume_m3=90.0, sensors=frozenset({Sensor.BADGE}))
HOURS = Timetable([(d * DAY + 8 * HOUR, d * DAY + 18 * HOUR) for d in range(3)])
instants = st.integers(0, 3 * DAY)


def filled(at: int, people: int = 3) -> Belief:
    """A belief of some people inside at ``at``."""
    belief = update(ROOM, initial(ROOM, at), ClosingReset(at), open_=True)
    for _ in range(people):
        belief = update(ROOM, belief, Passage(at, Sensor.BADGE, Side.IN), open_=True)
    return belief


def median(belief: Belief) -> int:
    return estimate(ROOM, belief, belief.at, open_=True).median


@pytest.mark.parametrize(
    ("at", "opens"), [(0, False), (8 * HOUR - 1, False), (8 * HOUR, True), (18 * HOUR - 1, True),
                      (18 * HOUR, False), (32 * HOUR, True), (4 * DAY, False)],
)  # fmt: skip
def test_a_timetable_says_when_it_is_open(at: int, opens: bool) -> None:
    assert HOURS.open_at(at) is opens
    assert Timetable([]).open_at(at) is False


def test_an_hour_after_closing_a_room_nobody_looks_at_counts_as_empty() -> None:
    late = filled(17 * HOUR + 50 * MINUTE)
    assert median(through(ROOM, late, HOURS, 19 * HOUR - 1)) >= 2
    assert median(through(ROOM, late, HOURS, 19 * HOUR)) == 0


def test_a_lunch_break_empties_nothing() -> None:
    hours = Timetable([(8 * HOUR, 12 * HOUR), (13 * HOUR, 18 * HOUR)])
    belief = through(ROOM, filled(11 * HOUR + 50 * MINUTE), hours, 13 * HOUR + 5 * MINUTE)
    assert median(belief) >= 2


def test_a_sensor_that_still_speaks_is_not_shouted_down_by_the_clock() -> None:
    belief = filled(17 * HOUR + 50 * MINUTE)
    for minute in range(90):
        belief = fold(ROOM, belief, HOURS, Pir(18 * HOUR + minute * MINUTE, fired=True))
    assert estimate(ROOM, belief, belief.at, open_=False).presence > 0.9


def test_a_reset_forgets_that_exits_were_missed_also_where_sensors_speak() -> None:
    left = Passage(17 * HOUR, Sensor.BADGE, Side.OUT)
    belief = update(ROOM, filled(17 * HOUR, 0), left, open_=True)
    belief = fold(ROOM, belief, HOURS, Pir(18 * HOUR + 50 * MINUTE, fired=False))
    assert belief.drift == 1
    assert through(ROOM, belief, HOURS, 20 * HOUR).drift == 0


@given(instants, instants, instants)
@settings(max_examples=examples(60), deadline=None)
def test_a_stop_on_the_way_changes_nothing(one: int, two: int, three: int) -> None:
    start, middle, end = sorted((one, two, three))
    belief = filled(start)
    once = through(ROOM, belief, HOURS, end)
    twice = through(ROOM, through(ROOM, belief, HOURS, middle), HOURS, end)
    assert twice.posterior == pytest.approx(once.posterior, abs=1e-9)
    assert twice.drift == once.drift


def test_folding_through_a_night_is_predicting_through_it_first() -> None:
    belief = filled(17 * HOUR)
    seen = Pir(32 * HOUR + 5, fired=True)
    by_hand = update(ROOM, through(ROOM, belief, HOURS, seen.at), seen, open_=True)
    assert fold(ROOM, belief, HOURS, seen) == by_hand


def test_what_is_not_wanted_leaves_the_belief_where_it_stands() -> None:
    belief = filled(9 * HOUR)
    assert fold(ROOM, belief, HOURS, Co2(9 * HOUR + 1, -5.0)) == belief


# --- a person who has counted ------------------------------------------------------------


@pytest.mark.parametrize("people", [0, 1, 5, 8])
def test_who_has_counted_is_believed_whatever_was_believed_before(people: int) -> None:
    for belief in (filled(9 * HOUR, 0), filled(9 * HOUR, 6)):
        told = update(ROOM, belief, HeadCount(9 * HOUR + MINUTE, people), open_=True)
        said = estimate(ROOM, told, told.at, open_=True)
        assert said.median == people
        assert said.high - said.low <= 2
        assert Sensor.LABEL in said.contributions


def test_more_than_the_room_can_hold_is_full() -> None:
    told = update(ROOM, filled(9 * HOUR), HeadCount(9 * HOUR, 400), open_=True)
    assert median(told) == ROOM.places


def test_a_label_ends_the_certainty_of_a_badge_and_forgets_missed_exits() -> None:
    belief = filled(9 * HOUR, 1)._replace(drift=2)
    told = update(ROOM, belief, HeadCount(9 * HOUR + MINUTE, 0), open_=True)
    assert (told.floor_until, told.drift, median(told)) == (None, 0, 0)


# --- light and sound ---------------------------------------------------------------------

LIT = replace(ROOM, learned=(Learned(Sensor.LIGHT, (3.0, 5.0), (-1.0, 0.1, 1.5)),))


def lit(model: RoomModel, belief: Belief, value: float, after: int = 0) -> Belief:
    return update(model, belief, Indirect(belief.at + after, Sensor.LIGHT, value), open_=True)


def test_light_says_nothing_until_it_was_learned() -> None:
    before = initial(ROOM, 9 * HOUR)
    assert lit(ROOM, before, 800.0).posterior == pytest.approx(before.posterior)
    assert lit(LIT, before, 800.0).posterior[0] < before.posterior[0]
    assert lit(LIT, before, 2.0).posterior[0] > before.posterior[0]


def test_light_that_stays_on_is_no_new_evidence_every_minute() -> None:
    model = replace(LIT, arrivals_per_place=1e-9, departures=1e-9)
    once = lit(model, initial(ROOM, 9 * HOUR), 800.0)
    again = once
    for _ in range(10):
        again = lit(model, again, 800.0, MINUTE)
    gained = again.weights[list(Sensor).index(Sensor.LIGHT)]
    assert 1.5 < gained < 2.1
    assert lit(model, again, 2.0, MINUTE).posterior[0] > again.posterior[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3.0])
def test_impossible_light_is_not_counted(value: float) -> None:
    before = initial(LIT, 9 * HOUR)
    told = fold(LIT, before, HOURS, Indirect(9 * HOUR + MINUTE, Sensor.LIGHT, value))
    assert told == before


def test_a_belief_with_light_comes_back_as_it_was() -> None:
    belief = lit(LIT, initial(LIT, 9 * HOUR), 800.0)
    assert Belief.from_json(belief.to_json()) == belief
    assert belief.indirect == ((Sensor.LIGHT, 9 * HOUR, 2),)


def test_every_kind_of_evidence_moves_time_on() -> None:
    belief = initial(LIT, 9 * HOUR)
    every: list[Evidence] = [
        HeadCount(9 * HOUR + 1, 2), ClosingReset(9 * HOUR + 2), Pir(9 * HOUR + 3, fired=True),
        Co2(9 * HOUR + 4, 600.0), Indirect(9 * HOUR + 5, Sensor.SOUND, 40.0),
        Passage(9 * HOUR + 6, Sensor.BEAM, Side.IN),
    ]  # fmt: skip
    for evidence in every:
        belief = update(LIT, belief, evidence, open_=True)
        assert belief.at == evidence.at
        assert sum(belief.posterior) == pytest.approx(1.0)
    assert predict(LIT, belief, belief.at, open_=True) == belief
