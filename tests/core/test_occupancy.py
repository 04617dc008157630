"""The occupancy filter: what every sequence of evidence keeps true, and what each piece does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trying import examples

from kokubus.messages import Side
from kokubus.occupancy import (
    Belief,
    ClosingReset,
    Co2,
    Estimate,
    Evidence,
    Passage,
    Pir,
    RoomModel,
    Sensor,
    estimate,
    initial,
    level,
    predict,
    update,
    wants,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_750_000_000_000
ROOM = RoomModel(capacity=8, volume_m3=90.0, sensors=frozenset(Sensor))
COUNTERS = (Sensor.BADGE, Sensor.BEAM, Sensor.CONTACT)

gaps = st.one_of(st.integers(0, 2 * MINUTE), st.integers(0, 14 * HOUR))
happenings = st.one_of(
    st.tuples(st.sampled_from(COUNTERS), st.sampled_from([Side.IN, Side.OUT, None])),
    st.booleans(),
    st.floats(allow_nan=True, allow_infinity=True) | st.floats(300, 3000),
    st.none(),
)
histories = st.lists(st.tuples(gaps, happenings, st.booleans()), max_size=15)


def evidence_of(at: int, happening: object) -> Evidence:
    if isinstance(happening, tuple):
        return Passage(at, *happening)
    if isinstance(happening, bool):
        return Pir(at, happening)
    return ClosingReset(at) if happening is None else Co2(at, float(str(happening)))


def told(history: list[tuple[int, object, bool]], room: RoomModel = ROOM) -> Belief:
    belief = initial(room, START)
    for gap, happening, open_ in history:
        belief = update(room, belief, evidence_of(belief.at + gap, happening), open_)
    return belief


def empty_room() -> Belief:
    return update(ROOM, initial(ROOM, START), ClosingReset(START), open_=True)


def seen(belief: Belief, after: int = 0, room: RoomModel = ROOM) -> Estimate:
    return estimate(room, belief, belief.at + after, open_=True)


def passed(belief: Belief, after: int, sensor: Sensor, side: Side | None) -> Belief:
    return update(ROOM, belief, Passage(belief.at + after, sensor, side), open_=True)


def spread(belief: Belief) -> float:
    mean = sum(n * p for n, p in enumerate(belief.posterior))
    return sum((n - mean) ** 2 * p for n, p in enumerate(belief.posterior))


def breathed(belief: Belief, slope: float, minutes: int = 20) -> Belief:
    ppm = belief.co2[-1][1] if belief.co2 else 420.0
    for _ in range(minutes):
        ppm += slope
        belief = update(ROOM, belief, Co2(belief.at + MINUTE, ppm), open_=True)
    return belief


# --- whatever comes ----------------------------------------------------------------------


@given(histories)
@settings(max_examples=examples(60), deadline=None)
def test_no_history_breaks_the_posterior(history: list[tuple[int, object, bool]]) -> None:
    belief = told(history)
    said = seen(belief)
    assert len(belief.posterior) == ROOM.places + 1
    assert all(0.0 <= p <= 1.0 for p in belief.posterior)
    assert sum(belief.posterior) == pytest.approx(1.0)
    assert 0 <= said.low <= said.median <= said.high <= ROOM.places
    assert 0.0 <= said.mean <= ROOM.places
    assert -1e-12 <= said.presence <= 1.0


@given(histories)
@settings(max_examples=examples(40), deadline=None)
def test_a_stored_belief_comes_back_as_it_was(history: list[tuple[int, object, bool]]) -> None:
    belief = told(history)
    text = belief.to_json()
    assert Belief.from_json(text) == belief
    assert Belief.from_json(text).to_json() == text


@given(histories, gaps, gaps, st.booleans())
@settings(max_examples=examples(40), deadline=None)
def test_two_steps_give_what_one_step_gives(
    history: list[tuple[int, object, bool]], first: int, second: int, open_: bool
) -> None:
    belief = told(history)
    half = predict(ROOM, belief, belief.at + first, open_)
    twice = predict(ROOM, half, half.at + second, open_)
    once = predict(ROOM, belief, twice.at, open_)
    assert twice.posterior == pytest.approx(once.posterior, abs=1e-11)
    assert twice.weights == pytest.approx(once.weights, abs=1e-9)
    assert twice._replace(posterior=(), weights=()) == once._replace(posterior=(), weights=())


@given(histories, st.integers(1, HOUR), happenings)
@settings(max_examples=examples(20), deadline=None)
def test_the_past_cannot_be_folded_in(
    history: list[tuple[int, object, bool]], before: int, happening: object
) -> None:
    belief = told(history)
    with pytest.raises(ValueError, match="cannot be taken back"):
        update(ROOM, belief, evidence_of(belief.at - before, happening), open_=True)


@given(st.integers(1, 60))
@settings(max_examples=examples(20), deadline=None)
def test_a_room_nobody_looks_at_settles_where_an_unknown_room_starts(capacity: int) -> None:
    room = RoomModel(capacity=capacity)
    reset = update(room, initial(room, START), ClosingReset(START), open_=True)
    later = predict(room, reset, START + 100 * 24 * HOUR, open_=True)
    assert later.posterior == pytest.approx(initial(room, START).posterior, abs=1e-9)


# --- time --------------------------------------------------------------------------------


def test_a_gap_widens_the_interval() -> None:
    belief = empty_room()
    for _ in range(4):
        belief = passed(belief, MINUTE, Sensor.BEAM, Side.IN)
    now, later = seen(belief), seen(belief, HOUR)
    assert (later.high - later.low) > (now.high - now.low)
    spreads = [spread(predict(ROOM, belief, belief.at + h * HOUR, open_=True)) for h in range(5)]
    assert spreads == sorted(spreads)


def test_fewer_come_outside_opening_hours() -> None:
    later = START + HOUR
    night = estimate(ROOM, empty_room(), later, open_=False)
    day = estimate(ROOM, empty_room(), later, open_=True)
    assert night.presence < day.presence


def test_a_gap_is_exact() -> None:
    """One place, so three counts: forward Euler in milliseconds is a fine reference."""
    room = RoomModel(capacity=1, arrivals_per_place=60.0, departures=120.0)
    up, down = 60.0 / HOUR, 120.0 / HOUR
    p = (1.0, 0.0, 0.0)
    for _ in range(30_011):
        rise, more = up * p[0], up * 2 / 3 * p[1]
        fall, less = down * p[1], 2 * down * p[2]
        p = (p[0] - rise + fall, p[1] + rise - fall - more + less, p[2] + more - less)
    belief = initial(room, START)._replace(posterior=(1.0, 0.0, 0.0))
    assert predict(room, belief, START + 30_011, open_=True).posterior == pytest.approx(p, abs=1e-5)


# --- passages ----------------------------------------------------------------------------


def test_people_who_badge_in_are_counted() -> None:
    belief = empty_room()
    for count in (1, 2, 3):
        belief = passed(belief, MINUTE, Sensor.BADGE, Side.IN)
        assert seen(belief).median == count
    belief = passed(belief, MINUTE, Sensor.BADGE, Side.OUT)
    assert seen(belief).median == 2


def test_after_a_badge_in_the_room_is_not_empty() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    for after in range(1, 10):
        belief = update(ROOM, belief, Pir(belief.at + MINUTE, fired=False), open_=True)
        assert belief.posterior[0] == 0.0, f"{after} minutes after the badge-in"
    assert seen(belief, 2 * MINUTE).presence < 1.0


@pytest.mark.parametrize("side", [Side.OUT, None])
def test_a_later_door_event_ends_that_certainty(side: Side | None) -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    belief = passed(belief, MINUTE, Sensor.CONTACT, side)
    assert belief.floor_until is None
    assert seen(belief).presence < 1.0


def test_the_door_opening_for_the_badge_does_not_end_it() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    belief = passed(belief, 2_000, Sensor.CONTACT, None)
    assert seen(belief).presence == 1.0


@pytest.mark.parametrize(
    "order", [(Sensor.BADGE, Sensor.BEAM), (Sensor.BEAM, Sensor.BADGE)], ids=["badge", "beam"]
)
def test_badge_and_beam_within_ten_seconds_are_one_person(order: tuple[Sensor, Sensor]) -> None:
    first = passed(empty_room(), MINUTE, order[0], Side.IN)
    together = passed(first, 10_000, order[1], Side.IN)
    apart = passed(first, 10_001, order[1], Side.IN)
    assert seen(together).median == 1
    assert seen(apart).median == 2


def test_a_second_person_behind_one_badge_is_counted_by_the_beam() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    belief = passed(belief, 1_000, Sensor.BEAM, Side.IN)
    belief = passed(belief, 1_000, Sensor.BEAM, Side.IN)
    assert seen(belief).median == 2


def test_the_beam_tells_the_way_through_an_opened_door() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.CONTACT, None)
    belief = passed(belief, 1_000, Sensor.BEAM, Side.IN)
    assert [event.side for event in belief.events] == [Side.IN]
    assert seen(belief).median == 1


def test_somebody_out_as_another_comes_in_are_two_events() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    belief = passed(belief, 1_000, Sensor.BEAM, Side.OUT)
    assert len(belief.events) == 2
    assert seen(belief).median == 0


def test_an_exit_without_an_entry_stays_at_nobody_and_says_drift() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.OUT)
    assert (seen(belief).median, seen(belief).low, seen(belief).drift) == (0, 0, True)
    assert seen(update(ROOM, belief, ClosingReset(belief.at), open_=True)).drift is False


def test_an_exit_after_an_entry_is_no_drift() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    assert seen(passed(belief, HOUR, Sensor.BADGE, Side.OUT)).drift is False


def test_a_closing_reset_empties_the_room() -> None:
    belief = empty_room()
    for _ in range(5):
        belief = passed(belief, MINUTE, Sensor.BADGE, Side.IN)
    belief = update(ROOM, belief, ClosingReset(belief.at + MINUTE), open_=False)
    assert (seen(belief).median, seen(belief).high, belief.floor_until) == (0, 0, None)


# --- sensors -----------------------------------------------------------------------------


def test_motion_raises_presence_and_says_who_said_so() -> None:
    before = predict(ROOM, empty_room(), START + 10 * MINUTE, open_=True)
    belief = update(ROOM, before, Pir(before.at, fired=True), open_=True)
    said = seen(belief)
    assert said.presence > seen(before).presence
    assert set(said.contributions) == {Sensor.PIR}
    assert said.contributions[Sensor.PIR] == pytest.approx(
        said.log_odds - seen(before).log_odds, abs=1e-9
    )


def test_quiet_lowers_presence() -> None:
    before = initial(ROOM, START)
    quiet = update(ROOM, before, Pir(START, fired=False), open_=True)
    assert seen(quiet).presence < seen(before).presence


def test_a_lasting_pir_state_is_not_counted_again_at_once() -> None:
    quiet = update(ROOM, initial(ROOM, START), Pir(START, fired=False), open_=True)
    assert not wants(quiet, Pir(START + 29_999, fired=False))
    assert wants(quiet, Pir(START + 30_000, fired=False))
    assert wants(quiet, Pir(START + 1, fired=True)), "motion after quiet is news"
    again = update(ROOM, quiet, Pir(START + 1_000, fired=False), open_=True)
    assert again == predict(ROOM, quiet, START + 1_000, open_=True)


def test_breath_raises_the_count_and_fresh_air_lowers_it() -> None:
    calm = breathed(initial(ROOM, START), slope=0.0)
    full = breathed(calm, slope=10.0)
    airy = breathed(full, slope=-4.0)
    assert seen(calm).median == 0
    assert seen(full).mean > seen(calm).mean + 2
    assert seen(full).contributions[Sensor.CO2] > 1
    assert seen(airy).mean < seen(full).mean - 1


def test_a_sensor_that_reports_every_second_counts_no_more_than_one_every_minute() -> None:
    calm = breathed(initial(ROOM, START), slope=0.0)
    often = rarely = calm
    for second in range(1, 1_201):
        reading = Co2(calm.at + second * 1_000, 420.0 + second / 60 * 8.0)
        if wants(often, reading):
            often = update(ROOM, often, reading, open_=True)
        if second % 60 == 0:
            rarely = update(ROOM, rarely, reading, open_=True)
    assert seen(often).mean == pytest.approx(seen(rarely).mean, rel=0.1)
    assert len(often.co2) <= 12


@pytest.mark.parametrize("ppm", [float("nan"), float("inf"), -1.0, 0.0, 65_535.0])
def test_an_impossible_reading_adds_nothing(ppm: float) -> None:
    belief = breathed(initial(ROOM, START), slope=0.0)
    reading = Co2(belief.at + MINUTE, ppm)
    assert not wants(belief, reading)
    assert update(ROOM, belief, reading, open_=True) == predict(
        ROOM, belief, reading.at, open_=True
    )


def test_the_first_reading_after_a_long_silence_adds_nothing_and_is_no_new_zero() -> None:
    belief = breathed(initial(ROOM, START), slope=0.0)
    later = predict(ROOM, belief, belief.at + 12 * HOUR, open_=False)
    told_ = update(ROOM, later, Co2(later.at, 1_200.0), open_=False)
    assert told_.posterior == pytest.approx(later.posterior)
    assert told_.ambient_ppm is not None
    assert told_.ambient_ppm < 520


def test_the_zero_of_the_room_is_learned_from_empty_hours() -> None:
    belief = initial(ROOM, START)
    for _ in range(12 * 60):
        belief = update(ROOM, belief, Co2(belief.at + MINUTE, 470.0), open_=False)
    assert belief.ambient_ppm == pytest.approx(470.0, abs=5)
    assert seen(belief).median == 0


def test_missing_sensors_add_nothing() -> None:
    belief = passed(empty_room(), MINUTE, Sensor.BADGE, Side.IN)
    assert set(seen(belief).contributions) == {Sensor.BADGE}
    assert (belief.co2, belief.pir, belief.ambient_ppm) == ((), None, None)


# --- what is told, and what is refused ---------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "levels"),
    [
        (1, ["free", "full"]),
        (2, ["free", "free", "full"]),
        (4, ["free", "free", "free", "medium", "full"]),
        (10, ["free"] * 6 + ["medium"] * 3 + ["full"] * 3),
    ],
)
def test_the_public_level_hides_the_first_person(capacity: int, levels: list[str]) -> None:
    any_estimate = seen(empty_room())
    assert [level(replace(any_estimate, median=n), capacity) for n in range(len(levels))] == levels


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"v":2}', '{"v":1,"at":3}', '{"v":1'])
def test_what_is_no_belief_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"belief|Expecting"):
        Belief.from_json(text)


def test_a_belief_stored_before_a_new_kind_of_sensor_is_still_read() -> None:
    text = empty_room().to_json().replace('"weights":[0.0,', '"weights":[')
    assert Belief.from_json(text) == empty_room()


def test_a_belief_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="another room model"):
        predict(RoomModel(capacity=40), empty_room(), START + 1, open_=True)


@pytest.mark.parametrize("wrong", [{"capacity": 0}, {"capacity": 3, "volume_m3": 0.0}])
def test_an_impossible_room_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a room's"):
        RoomModel(**wrong)
