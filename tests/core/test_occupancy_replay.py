"""Many readings in one go are the readings one by one, and give what they always gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks._simulated import DAY, HOUR, MONDAY, ROOMS, SECOND, recorded

from kokubus.occupancy import (
    Belief,
    ClosingReset,
    Co2,
    Evidence,
    Indirect,
    RoomModel,
    Sensor,
    Timetable,
    fold,
    fold_all,
    initial,
    through,
    update,
)
from kokubus.occupancy.kinetics import generator, steps

GOLDEN = Path(__file__).parent.parent / "data" / "occupancy" / "replay.json"
"""One line an hour of two simulated days: at, P(n), ambient ppm, each sensor's log-odds.

Made by folding reading by reading; made anew only when the filter itself is meant to change.
"""
SENSORS = frozenset({Sensor.BADGE, Sensor.BEAM, Sensor.PIR, Sensor.CO2})


def began(model: RoomModel) -> Belief:
    return update(model, initial(model, MONDAY), ClosingReset(MONDAY), open_=False)


def hours_told() -> list[tuple[int, Belief, Belief]]:
    """At each full hour the belief from one go, and the one by one."""
    told = recorded(ROOMS[1], 2, 7)
    model, hours = told.model(SENSORS), Timetable(told.windows)
    evidence: list[Evidence] = told.seen_by(SENSORS)
    at_once = one_by_one = began(model)
    found = []
    for end in range(MONDAY + HOUR, MONDAY + 2 * DAY + 1, HOUR):
        of_hour = [one for one in evidence if end - HOUR <= one.at < end]
        at_once = fold_all(model, at_once, hours, of_hour)
        for one in of_hour:
            one_by_one = fold(model, one_by_one, hours, one)
        found.append((end, at_once, one_by_one))
    return found


def test_two_days_give_what_they_always_gave() -> None:
    lines = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    told = hours_told()
    assert len(lines) == len(told) == 48
    for line, (end, belief, _) in zip(lines, told, strict=True):
        assert line["at"] == end
        assert belief.posterior == pytest.approx(line["p"], rel=1e-6, abs=1e-12)
        assert belief.ambient_ppm == pytest.approx(line["ambient"], rel=1e-9)
        assert belief.weights == pytest.approx(line["weights"], abs=1e-6)


def test_all_at_once_is_one_by_one() -> None:
    for _, at_once, one_by_one in hours_told():
        assert at_once == one_by_one


def test_what_is_not_wanted_moves_nothing() -> None:
    model = RoomModel(capacity=4, sensors=frozenset({Sensor.CO2}))
    hours, start = Timetable([]), began(model)
    impossible: list[Evidence] = [
        Co2(MONDAY + 40 * SECOND, -1.0),
        Co2(MONDAY + 80 * SECOND, float("nan")),
        Indirect(MONDAY + 90 * SECOND, Sensor.LIGHT, -3.0),
    ]
    assert fold_all(model, start, hours, impossible) is start
    assert fold_all(model, start, hours, []) is start


def test_a_closing_between_two_readings_empties_the_room() -> None:
    model = recorded(ROOMS[0], 1, 1).model(SENSORS)
    hours = Timetable([(MONDAY, MONDAY + HOUR)])
    late = Co2(MONDAY + 5 * HOUR, 700.0)
    start = initial(model, MONDAY + 1)
    expected = update(model, through(model, start, hours, late.at), late, open_=False)
    assert start.posterior[0] < 0.5
    assert fold_all(model, start, hours, [late]) == expected


@pytest.mark.parametrize("gap_ms", [1, 15_000, 30_711, 3_599_999, 86_400_000])
def test_a_gap_met_before_is_the_same_transition(gap_ms: int) -> None:
    moves, p = steps(14, 2.5, 0.5, 0), np.full(14, 1 / 14)
    small = steps.__wrapped__(14, 2.5, 0.5, 0)
    small._room_for = 0
    first, again = moves.advance(p, gap_ms), moves.advance(p, gap_ms)
    assert (first == again).all()
    assert again == pytest.approx(small.advance(p, gap_ms), rel=1e-10)
    assert again.sum() == pytest.approx(1.0, abs=1e-9)


def test_kept_gaps_do_not_grow_without_end() -> None:
    moves = steps.__wrapped__(14, 2.5, 0.5, 0)
    p = np.full(14, 1 / 14)
    for gap_ms in range(20_000, 24_000):
        p = moves.advance(p, gap_ms)
    held = sum(matrix.nbytes for matrix in moves._whole.values())
    assert 0 < held <= 2**20
    balance = p @ generator(14, 2.5, 0.5)
    assert balance == pytest.approx(np.zeros(14), abs=1e-6)
