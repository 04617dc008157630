"""The room's own zero of CO2: stale air of an evening is none."""

from __future__ import annotations

from math import exp

import pytest
from benchmarks._simulated import DAY, HOUR, MINUTE, MONDAY, ROOMS, recorded

from kokubus.occupancy import (
    Belief,
    ClosingReset,
    Co2,
    Evidence,
    Pir,
    RoomModel,
    Sensor,
    Timetable,
    fold_all,
    initial,
    update,
)

SENSORS = frozenset({Sensor.PIR, Sensor.CO2})
ROOM = RoomModel(capacity=8, volume_m3=120.0, sensors=SENSORS)
FRESH_PPM, STALE_PPM = 430.0, 600.0


def evening(air_changes: float, hours: float) -> tuple[Belief, float]:
    """The belief ``hours`` after everybody left, and the ppm above fresh air by then."""
    belief = update(ROOM, initial(ROOM, 0), ClosingReset(0), open_=False)
    evidence: list[Evidence] = []
    above = 0.0
    for at in range(0, round(hours * HOUR), MINUTE // 2):
        above = STALE_PPM * exp(-air_changes * at / HOUR)
        evidence += [Pir(at, fired=False), Co2(at, FRESH_PPM + above)]
    return fold_all(ROOM, belief, Timetable([]), evidence), above


def zero(belief: Belief) -> float:
    assert belief.ambient_ppm is not None
    return belief.ambient_ppm


def test_air_that_clears_as_foreseen_moves_the_zero_only_to_fresh_air() -> None:
    belief, above = evening(0.8, 2)
    assert above > 100
    assert zero(belief) == pytest.approx(FRESH_PPM, abs=10)


@pytest.mark.parametrize("air_changes", [0.4, 1.6])
def test_a_room_that_clears_otherwise_has_its_zero_below_half_of_what_is_left(
    air_changes: float,
) -> None:
    belief, _ = evening(air_changes, 1)
    above = STALE_PPM * exp(-air_changes)
    assert abs(zero(belief) - FRESH_PPM) < above / 2


def test_the_zero_rises_with_the_air_outdoors() -> None:
    belief = update(ROOM, initial(ROOM, 0), ClosingReset(0), open_=False)
    evidence: list[Evidence] = []
    for at in range(0, 6 * HOUR, MINUTE // 2):
        evidence += [Pir(at, fired=False), Co2(at, 460.0)]
    assert zero(fold_all(ROOM, belief, Timetable([]), evidence)) == pytest.approx(460, abs=5)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_on_simulated_evenings_the_zero_is_near_what_the_night_comes_to(seed: int) -> None:
    told = recorded(ROOMS[1], 2, seed)
    model, hours = told.model(SENSORS), Timetable(told.windows)
    belief = update(model, initial(model, MONDAY), ClosingReset(MONDAY), open_=False)
    evidence = told.seen_by(SENSORS)
    until = MONDAY + 22 * HOUR
    belief = fold_all(model, belief, hours, [one for one in evidence if one.at < until])
    night = [
        one.ppm
        for one in evidence
        if isinstance(one, Co2) and MONDAY + DAY + 4 * HOUR <= one.at < MONDAY + DAY + 6 * HOUR
    ]
    assert zero(belief) == pytest.approx(sum(night) / len(night), abs=60)
