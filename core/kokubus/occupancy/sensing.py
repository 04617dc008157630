"""How likely a reading is for each count: motion by PIR, breath by CO2, light and sound."""

from __future__ import annotations

from bisect import bisect_right
from math import exp, expm1, isfinite, log1p, sqrt

import numpy as np

from kokubus.messages import Instant
from kokubus.occupancy.belief import Belief
from kokubus.occupancy.evidence import Co2, HeadCount, Indirect, Pir, Sensor
from kokubus.occupancy.kinetics import HOUR_MS, Vector
from kokubus.occupancy.model import RoomModel

SPACING_MS = 30_000
PLAUSIBLE_PPM = (300.0, 10_000.0)
OUTDOOR_PPM = 420.0
AMBIENT_FALLS_H = 0.5
AMBIENT_RISES_H = 1.0
AMBIENT_GAP_H = 0.1
COUNTED_RIGHT, COUNTED_NEARLY, MISJUDGED = 0.98, 0.0095, 0.1
"""Of a person who counts: right, one too many (as often too few), and the belief all wrong."""
INDIRECT_EVERY_MS = 1_800_000
"""Light stays on and fans hum: a level that lasts is one observation per half hour."""


def wants_pir(belief: Belief, reading: Pir) -> bool:
    """Motion after quiet is news at once; a state that lasts is one sample per half minute."""
    if belief.pir is None:
        return True
    last_at, last_fired = belief.pir
    return reading.at - last_at >= SPACING_MS or (reading.fired and not last_fired)


def wants_co2(belief: Belief, reading: Co2) -> bool:
    """Plausible, and at least half a minute after the last one counted."""
    if not (isfinite(reading.ppm) and PLAUSIBLE_PPM[0] <= reading.ppm <= PLAUSIBLE_PPM[1]):
        return False
    return not belief.co2 or reading.at - belief.co2[-1][0] >= SPACING_MS


def wants_indirect(belief: Belief, reading: Indirect) -> bool:
    """Possible, and at least half a minute after the last one of its sensor."""
    if not (isfinite(reading.value) and reading.value >= 0):
        return False
    last = _last_indirect(belief, reading.sensor)
    return last is None or reading.at - last[1] >= SPACING_MS


def co2_weighed(model: RoomModel, belief: Belief, reading: Co2, before: list[float]) -> list[float]:
    """``before`` by count times the tempered density of a reading given the one a lag ago.

    Without one it stays as it is. Plain floats: for a few dozen counts they are faster than
    the five array operations this takes.

    Mass balance of a ventilated room, b ambient, D the time between the two readings:
    c = b + (c' - b) rho + (gamma / a)(1 - rho) n + eps, rho = exp(-a D), eps Student-t.
    Readings of one lag window share one weight, since their noise is not independent.
    """
    last = a_lag_ago(model, belief.co2, reading.at)
    if last is None or belief.ambient_ppm is None:
        return before
    ready, lag_ms, ambient_ppm = model.ready, model.co2_lag_ms, belief.ambient_ppm
    gap, since = reading.at - last[0], reading.at - belief.co2[-1][0]
    rho = exp(ready.aired * gap)
    quiet = ambient_ppm + (last[1] - ambient_ppm) * rho
    width = ready.co2_width if gap <= lag_ms else ready.co2_width * sqrt(gap / lag_ms)
    power = ready.co2_power if since >= lag_ms else ready.co2_power * since / lag_ms
    each, off = (1.0 - rho) / width * ready.ppm_per_person, (reading.ppm - quiet) / width
    return [
        p * (1.0 + (z := n * each - off) * z) ** power
        for p, n in zip(before, ready.numbers, strict=True)
    ]


def a_lag_ago(
    model: RoomModel, samples: tuple[tuple[Instant, float], ...], at: Instant
) -> tuple[Instant, float] | None:
    """The reading to compare with one at ``at``; None if there is none of about a lag ago."""
    latest, found = at - 0.9 * model.co2_lag_ms, None
    for sample in samples:
        if sample[0] > latest:
            break
        found = sample
    return found if found and at - found[0] <= 3 * model.co2_lag_ms else None


def remembered(model: RoomModel, belief: Belief, reading: Co2) -> tuple[tuple[Instant, float], ...]:
    """The readings a later one can be compared with: a lag of them and the newest before."""
    samples, oldest = belief.co2, reading.at - model.co2_lag_ms
    first = 0
    while first + 1 < len(samples) and samples[first + 1][0] <= oldest:
        first += 1
    return (*samples[first:], (reading.at, reading.ppm))


def ambient(model: RoomModel, belief: Belief, reading: Co2, empty: float) -> float:
    """The room's own zero: falls quickly to lower readings, rises while P(n=0) = ``empty``.

    It rises towards where the empty room's air is going, not to where it is: stale air of an
    evening is no zero. Air that clears faster than foreseen (a window) does not take it below
    the air outdoors. A gap counts for six minutes at most, so that one reading after a night
    without any cannot become the zero.
    """
    if belief.ambient_ppm is None or not belief.co2:
        return min(reading.ppm, OUTDOOR_PPM)
    hours = min(AMBIENT_GAP_H, (reading.at - belief.co2[-1][0]) / HOUR_MS)
    above = reading.ppm - belief.ambient_ppm
    if above < 0:
        return belief.ambient_ppm - above * expm1(-hours / AMBIENT_FALLS_H)
    above = _settling(model, belief, reading) - belief.ambient_ppm
    risen = belief.ambient_ppm - above * expm1(-empty * hours / AMBIENT_RISES_H)
    return max(risen, min(belief.ambient_ppm, OUTDOOR_PPM))


def _settling(model: RoomModel, belief: Belief, reading: Co2) -> float:
    """The ppm an empty room's air is on its way to: mass balance (`co2_weighed`) solved for b.

    Noise of one reading is made a dozen times larger, and averages out over the hour in which
    the zero follows, since the next lag subtracts what this one added.
    """
    last = a_lag_ago(model, belief.co2, reading.at)
    if last is None:
        return reading.ppm
    rho = exp(model.ready.aired * (reading.at - last[0]))
    return (reading.ppm - rho * last[1]) / (1.0 - rho)


def level_of(edges: tuple[float, ...], value: float) -> int:
    """Which level a value of light or sound is: 0 to len(edges)."""
    return bisect_right(edges, log1p(value))


def indirect_likelihood(model: RoomModel, belief: Belief, reading: Indirect) -> Vector | float:
    """P(level | n) up to a factor, shape (N+1,); 1 where the room has not taught its meaning.

    A level that changed is a new observation, one that lasts only part of one.
    """
    learned = model.ready.learned.get(reading.sensor)
    if learned is None:
        return 1.0
    level = level_of(learned.edges, reading.value)
    last = _last_indirect(belief, reading.sensor)
    lasts = last is not None and last[2] == level
    share = min(1.0, (reading.at - last[1]) / INDIRECT_EVERY_MS) if last and lasts else 1.0
    likelihood = np.full(model.ready.size, exp(share * learned.log_ratios[level]))
    likelihood[0] = 1.0
    return likelihood


def levels(
    model: RoomModel, belief: Belief, reading: Indirect
) -> tuple[tuple[Sensor, Instant, int], ...]:
    """The last level of each sensor, this reading's among them."""
    learned = model.ready.learned.get(reading.sensor)
    level = level_of(learned.edges, reading.value) if learned else -1
    others = (one for one in belief.indirect if one[0] is not reading.sensor)
    return (*others, (reading.sensor, reading.at, level))


def label_likelihood(model: RoomModel, label: HeadCount) -> Vector:
    """P(said k | n), shape (N+1,): nearly always right, else mostly off by one."""
    ready = model.ready
    off = np.abs(ready.counts - min(label.people, model.places))
    rest = (1.0 - COUNTED_RIGHT - 2 * COUNTED_NEARLY) / ready.size
    return np.where(off == 0, COUNTED_RIGHT, np.where(off == 1, COUNTED_NEARLY, rest))


def _last_indirect(belief: Belief, sensor: Sensor) -> tuple[Sensor, Instant, int] | None:
    return next((one for one in belief.indirect if one[0] is sensor), None)
