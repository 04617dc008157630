"""A room teaches its filter: what it finds is what was so, and no more than was shown."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from benchmarks._simulated import DAY, MONDAY, ROOMS, recorded

from kokubus.messages import Side
from kokubus.occupancy import (
    Belief,
    ClosingReset,
    Evidence,
    HeadCount,
    Indirect,
    Passage,
    Pir,
    RoomModel,
    Sensor,
    Timetable,
    initial,
    update,
)
from kokubus.occupancy.calibration import Calibration, Levels, calibrated, known, with_day
from kokubus.occupancy.learning import learned_of
from kokubus.occupancy.smoothing import smoothed

MINUTE, HOUR = 60_000, 3_600_000
SENSORS = frozenset({Sensor.BADGE, Sensor.PIR, Sensor.CO2})
SMALL = RoomModel(capacity=4, sensors=frozenset({Sensor.PIR}))
ALWAYS = Timetable([(0, 10 * DAY)])


def empty(model: RoomModel, at: int) -> Belief:
    return update(model, initial(model, at), ClosingReset(at), open_=False)


@cache
def watched(days: int) -> tuple[RoomModel, Calibration]:
    """A simulated room, and what it taught in some days."""
    recording = recorded(ROOMS[1], days, 5)
    model, hours = recording.model(SENSORS), Timetable(recording.windows)
    evidence, taught, belief = recording.seen_by(SENSORS), Calibration(), empty(
        recording.model(SENSORS), MONDAY
    )  # fmt: skip
    for day in range(days):
        start = MONDAY + day * DAY
        of_day = [one for one in evidence if start <= one.at < start + DAY]
        day_taught, belief = learned_of(calibrated(model, taught), taught, belief, hours, of_day)
        taught = with_day(model, taught, day_taught)
    return model, taught


# --- smoothing ---------------------------------------------------------------------------


def test_smoothing_knows_by_noon_what_the_afternoon_showed() -> None:
    """Somebody who sat still was taken for gone, until they were seen at nine."""
    evidence: list[Evidence] = [Passage(8 * HOUR, Sensor.BADGE, Side.IN)]
    evidence += [Pir(8 * HOUR + m * MINUTE, fired=False) for m in range(1, 41)]
    evidence += [HeadCount(8 * HOUR + 45 * MINUTE, 1)]
    steps, end = smoothed(SMALL, empty(SMALL, 0), ALWAYS, evidence)
    middle = next(s for s in steps if s.evidence.at == 8 * HOUR + 40 * MINUTE)
    assert middle.people[0] < 0.7 * middle.before.posterior[0]
    assert steps[-1].people == pytest.approx(np.array(end.posterior))


def test_smoothed_chances_are_chances() -> None:
    evidence: list[Evidence] = []
    for at, (first, second) in enumerate(pairwise("ioipqpioqqo")):
        side = {"i": Side.IN, "o": Side.OUT}.get(first)
        passage = Passage(at * 90_000 + 1, Sensor.BADGE, side)
        evidence.append(passage if side else Pir(at * 90_000 + 1, fired=second == "p"))
    steps, _ = smoothed(SMALL, empty(SMALL, 0), ALWAYS, evidence)
    assert len(steps) == len(evidence)
    for step in steps:
        assert step.people.sum() == pytest.approx(1.0)
        assert (step.people >= 0).all()


def test_an_exit_shows_that_somebody_had_been_inside() -> None:
    evidence: list[Evidence] = [
        Pir(5 * MINUTE, fired=False), Passage(6 * MINUTE, Sensor.BADGE, Side.OUT)
    ]  # fmt: skip
    steps, _ = smoothed(SMALL, empty(SMALL, 0), ALWAYS, evidence)
    assert steps[0].people[0] < 0.5 < steps[0].before.posterior[0]


def test_nothing_smooths_to_nothing() -> None:
    assert smoothed(SMALL, empty(SMALL, 0), ALWAYS, [])[0] == []


# --- calibration -------------------------------------------------------------------------


@pytest.mark.slow
def test_what_was_so_is_found() -> None:
    """Simulated: 0.4 to 1.6 air changes an hour, 18.5 l/h on average, 0.6 % false motion."""
    model, taught = watched(9)
    found = known(model, taught)
    assert found["air_changes"].value == pytest.approx(1.0, abs=0.25)
    assert found["breath"].value == pytest.approx(18.5 / 18, abs=0.2)
    assert found["pir_false"].value == pytest.approx(0.006, abs=0.004)
    for one in found.values():
        assert one.sd < one.prior_sd


@pytest.mark.slow
def test_it_converges_and_says_so() -> None:
    assert not watched(2)[1].converged
    assert watched(9)[1].converged


def test_nothing_seen_is_nothing_known() -> None:
    assert calibrated(SMALL, Calibration()) == SMALL
    day, _ = learned_of(SMALL, Calibration(), empty(SMALL, 0), ALWAYS, [])
    assert known(SMALL, day)["air_changes"].value == pytest.approx(SMALL.air_changes)


def test_physics_is_never_talked_out_of_half_of_what_the_volume_says() -> None:
    strange = Calibration(days=90, air=(0.0, 0.0, 90 * 2.6, 90.0))
    assert known(SMALL, strange)["breath"].value == pytest.approx(1.8)


def test_what_made_counts_worse_is_shown_and_not_used() -> None:
    strange = Calibration(
        days=90, air=(90.0, 90.0, 90 * 2.0, 90.0), quiet=1e4, false=500.0,
        arrived=900.0, offered_h=90.0, left=900.0, stayed_h=90.0,
    )  # fmt: skip
    found = known(SMALL, strange)
    assert all(one.value != pytest.approx(one.prior, rel=0.1) for one in found.values())
    used = ("pir_false", "arrivals_per_place", "departures")
    values = {name: found[name].value for name in used}
    assert calibrated(SMALL, strange) == replace(SMALL, **values)


def test_a_calibration_is_stored_and_read_again() -> None:
    taught = watched(2)[1]
    assert Calibration.from_json(taught.to_json()) == taught
    lit = Calibration(light=Levels((1.0, 2.0), (3.0, 4.0), 0.5))
    assert Calibration.from_json(lit.to_json()) == lit


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"days":1,"air":1}'])
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"calibration|Expecting"):
        Calibration.from_json(text)


# --- light -------------------------------------------------------------------------------


def lit_day(day: int, lamp: bool) -> list[Evidence]:
    """Two people from nine to five under a lamp, or under a sky that knows nothing of them."""
    evidence: list[Evidence] = []
    for minute in range(0, 24 * 60, 5):
        at = day * DAY + minute * MINUTE
        there = 9 * 60 <= minute < 17 * 60
        lux = 400.0 if there and lamp else 400.0 * (minute // 30 % 2) if not lamp else 3.0
        evidence.append(Indirect(at, Sensor.LIGHT, lux))
        evidence.append(HeadCount(at + 1, 2 if there else 0))
    return evidence


@pytest.mark.parametrize(("lamp", "learns"), [(True, True), (False, False)])
def test_light_is_learned_only_where_it_foretells(lamp: bool, learns: bool) -> None:
    taught, belief = Calibration(), empty(SMALL, 0)
    for day in range(5):
        model = calibrated(SMALL, taught)
        seen, belief = learned_of(model, taught, belief, ALWAYS, lit_day(day, lamp))
        taught = with_day(SMALL, taught, seen)
    learned = calibrated(SMALL, taught).learned
    assert bool(learned) is learns
    if learns:
        assert max(learned[0].log_ratios) > 1
        assert min(learned[0].log_ratios) < -1
