"""One day of a room, as what it teaches (`kokubus.occupancy.calibration`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import exp, log

import numpy as np

from kokubus.occupancy.belief import Belief
from kokubus.occupancy.calibration import EDGES, Calibration, Levels, log_ratios
from kokubus.occupancy.evidence import Co2, Evidence, Indirect, Pir, Sensor
from kokubus.occupancy.hours import Timetable
from kokubus.occupancy.kinetics import HOUR_MS
from kokubus.occupancy.model import RoomModel
from kokubus.occupancy.sensing import INDIRECT_EVERY_MS, a_lag_ago, level_of
from kokubus.occupancy.smoothing import Step, smoothed

LONGEST_GAP_MS = 300_000
"""Over a longer silence what happened unseen is guessed, not learned."""
NEAR_LAG = 1.3
ENOUGH, SURELY = 40, 0.95
DECAYING_PPM, DECAYED_PPM = 80.0, 30.0
"""Closer to fresh air than this, a decay is lost in the sensor's noise."""
SLOWEST, LEAST_BREATH, MOST_BREATH = 0.05, 0.3, 3.0


def learned_of(
    model: RoomModel,
    before: Calibration,
    belief: Belief,
    hours: Timetable,
    evidence: Iterable[Evidence],
) -> tuple[Calibration, Belief]:
    """(what this day teaches, the belief at its end).

    ``model`` is the calibrated one; light and sound are judged by what the other sensors say,
    so that they cannot teach themselves. ``before`` is what was known until this day.
    """
    others = replace(model, learned=())
    steps, end = smoothed(others, belief, hours, evidence)
    quiet, false = _motion(model, steps)
    arrived, offered, left, stayed = _unseen(model, steps)
    taught = Calibration(
        days=1,
        air=_air(model, steps),
        quiet=quiet,
        false=false,
        arrived=arrived,
        offered_h=offered,
        left=left,
        stayed_h=stayed,
        light=_levels(Sensor.LIGHT, before.light, steps),
        sound=_levels(Sensor.SOUND, before.sound, steps),
    )
    return taught, end


def _air(model: RoomModel, steps: list[Step]) -> tuple[float, float, float, float]:
    """(ln air changes, 1, breath, 1) of the day; zeros for what it did not show."""
    pairs = _pairs(model, steps)
    decays = [
        log(x / y) / hours
        for x, y, hours, people, empty in pairs
        if empty > SURELY and x > y > DECAYED_PPM and x > DECAYING_PPM
    ]
    shown = len(decays) >= ENOUGH
    changes = max(float(np.median(decays)), SLOWEST) if shown else model.air_changes
    breaths = [
        (people * people, people * _breathed(model, changes, x, y, hours))
        for x, y, hours, people, _ in pairs
        if people >= 1
    ]
    ln_changes = (log(changes), 1.0) if shown else (0.0, 0.0)
    if len(breaths) < ENOUGH:
        return (*ln_changes, 0.0, 0.0)
    total, seen = (sum(column) for column in zip(*breaths, strict=True))
    return (*ln_changes, min(max(seen / total, LEAST_BREATH), MOST_BREATH), 1.0)


def _pairs(model: RoomModel, steps: list[Step]) -> list[tuple[float, float, float, float, float]]:
    """(ppm above fresh air a lag ago, and now, hours between, people, P(nobody))."""
    fresh = _fresh(steps)
    if fresh is None:
        return []
    found = []
    for step in steps:
        if isinstance(step.evidence, Co2):
            last = a_lag_ago(model, step.before.co2, step.evidence.at)
            gap = step.evidence.at - last[0] if last else 0
            if last and gap <= NEAR_LAG * model.co2_lag_ms:
                people = float(step.people @ model.ready.counts)
                ppm = (last[1] - fresh, step.evidence.ppm - fresh)
                found.append((*ppm, gap / HOUR_MS, people, float(step.people[0])))
    return found


def _breathed(model: RoomModel, changes: float, x: float, y: float, hours: float) -> float:
    """What came into the air in the lag, in breaths of one person as physics has them."""
    rho = exp(-changes * hours)
    physical = model.ppm_per_person_h / model.breath / changes * (1 - rho)
    return (y - rho * x) / physical


def _fresh(steps: list[Step]) -> float | None:
    """What the room's air came down to that day: the tenth of its quiet hours that was lowest.

    Better than the filter's own ambient, which must not know the night when it is evening.
    """
    quiet = [
        step.evidence.ppm
        for step in steps
        if isinstance(step.evidence, Co2) and step.people[0] > SURELY
    ]
    return float(np.quantile(quiet, 0.1)) if len(quiet) >= ENOUGH else None


def _motion(model: RoomModel, steps: list[Step]) -> tuple[float, float]:
    """(samples of the empty room, alarms among them)."""
    quiet = false = 0.0
    for step in steps:
        if isinstance(step.evidence, Pir):
            empty = model.pir_weight * float(step.people[0])
            quiet += empty
            false += empty * step.evidence.fired
    return quiet, false


def _unseen(model: RoomModel, steps: list[Step]) -> tuple[float, float, float, float]:
    """(came, hours that offered places, left, hours people stayed): all unseen, expected.

    To first order in the gap: E[births] = dt sum_n p(n) lambda_n r(n + 1), r by how much
    what follows makes a count likelier than it was believed (`Step.likelier`).
    """
    came = offered = left = stayed = 0.0
    n = model.ready.counts
    room = (1 - n / n.size) * (n < n.size - 1)
    for step in steps:
        if step.gap_ms > LONGEST_GAP_MS:
            continue
        hours = step.gap_ms / HOUR_MS
        births, deaths = model.rates(step.open)
        before = np.array(step.before.posterior)
        people = before * step.likelier
        came += hours * births * float(before[:-1] @ (room[:-1] * step.likelier[1:]))
        left += hours * deaths * float(before[1:] @ (n[1:] * step.likelier[:-1]))
        offered += hours * births / model.arrivals_per_place * float(people @ room)
        stayed += hours * deaths / model.departures * float(people @ n)
    return came, offered, left, stayed


def _levels(sensor: Sensor, before: Levels | None, steps: list[Step]) -> Levels | None:
    """How often each level was seen with and without people, and how well it was foretold."""
    edges = EDGES[sensor]
    empty, taken = np.zeros(len(edges) + 1), np.zeros(len(edges) + 1)
    gain, last_at = 0.0, None
    for step in steps:
        one = step.evidence
        if not isinstance(one, Indirect) or one.sensor is not sensor:
            continue
        share = 1.0 if last_at is None else min(1.0, (one.at - last_at) / INDIRECT_EVERY_MS)
        level, away, last_at = level_of(edges, one.value), float(step.people[0]), one.at
        empty[level] += share * away
        taken[level] += share * (1 - away)
        gain += share * _gain(before, level, away)
    if last_at is None:
        return None
    return Levels(tuple(empty.tolist()), tuple(taken.tolist()), gain)


def _gain(before: Levels | None, level: int, away: float) -> float:
    """Nats by which the level was likelier, given who was there, than by its frequency."""
    if before is None:
        return 0.0
    total = sum(before.empty) + sum(before.taken)
    there = sum(before.taken) / total if total else 0.5
    ratio = log_ratios(before)[level]
    mixed = log(there * exp(ratio) + 1 - there)
    return (1 - away) * ratio - mixed
