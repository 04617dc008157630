"""How likely a reading is for each count: motion by PIR, breath by CO2."""

from __future__ import annotations

from functools import lru_cache
from math import exp, expm1, isfinite, sqrt

import numpy as np

from kokubus.messages import Instant
from kokubus.occupancy.belief import Belief
from kokubus.occupancy.evidence import Co2, Pir
from kokubus.occupancy.kinetics import HOUR_MS, Vector
from kokubus.occupancy.model import RoomModel

SPACING_MS = 30_000
PLAUSIBLE_PPM = (300.0, 10_000.0)
OUTDOOR_PPM = 420.0
AMBIENT_FALLS_H = 0.5
AMBIENT_RISES_H = 1.0
AMBIENT_GAP_H = 0.1


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


@lru_cache(maxsize=256)
def pir_likelihood(model: RoomModel, fired: bool) -> Vector:
    """P(fired | n) to the power of its weight, P = 1 - (1 - e0)(1 - q)^n, shape (N+1,)."""
    quiet = (1.0 - model.pir_false) * (1.0 - model.pir_seen) ** counts(model.places + 1)
    return np.asarray((1.0 - quiet if fired else quiet) ** model.pir_weight)


@lru_cache(maxsize=64)
def counts(size: int) -> Vector:
    """0, 1, .. size - 1."""
    return np.arange(size, dtype=np.float64)


def co2_likelihood(model: RoomModel, belief: Belief, reading: Co2) -> Vector | float:
    """Tempered density of a reading given the one a lag ago, shape (N+1,); 1 without one.

    Mass balance of a ventilated room, b ambient, D the time between the two readings:
    c = b + (c' - b) rho + (gamma / a)(1 - rho) n + eps, rho = exp(-a D), eps Student-t.
    Readings of one lag window share one weight, since their noise is not independent.
    """
    before = _a_lag_ago(model, belief, reading.at)
    if before is None or belief.ambient_ppm is None:
        return 1.0
    lags = (reading.at - before[0]) / model.co2_lag_ms
    rho = exp(-model.air_changes * lags * model.co2_lag_ms / HOUR_MS)
    quiet = belief.ambient_ppm + (before[1] - belief.ambient_ppm) * rho
    each = model.ppm_per_person_h / model.air_changes * (1.0 - rho)
    width = model.co2_sigma * sqrt(model.co2_nu * max(1.0, lags))
    z = ((reading.ppm - quiet) - each * counts(model.places + 1)) / width
    share = min(1.0, (reading.at - belief.co2[-1][0]) / model.co2_lag_ms)
    return np.asarray((1.0 + z * z) ** (-(model.co2_nu + 1.0) / 2.0 * model.co2_weight * share))


def _a_lag_ago(model: RoomModel, belief: Belief, at: Instant) -> tuple[Instant, float] | None:
    for sample in reversed(belief.co2):
        if at - sample[0] >= 0.9 * model.co2_lag_ms:
            return sample if at - sample[0] <= 3 * model.co2_lag_ms else None
    return None


def remembered(model: RoomModel, belief: Belief, reading: Co2) -> tuple[tuple[Instant, float], ...]:
    """The readings a later one can be compared with: a lag of them and the newest before."""
    kept = [s for s in belief.co2 if reading.at - s[0] < model.co2_lag_ms]
    older = belief.co2[: len(belief.co2) - len(kept)]
    return (*older[-1:], *kept, (reading.at, reading.ppm))


def ambient(belief: Belief, reading: Co2, empty: float) -> float:
    """The room's own zero: falls quickly to lower readings, rises while P(n=0) = ``empty``.

    A gap counts for six minutes at most, so that one reading after a night without any
    cannot become the zero.
    """
    if belief.ambient_ppm is None or not belief.co2:
        return min(reading.ppm, OUTDOOR_PPM)
    hours = min(AMBIENT_GAP_H, (reading.at - belief.co2[-1][0]) / HOUR_MS)
    above = reading.ppm - belief.ambient_ppm
    pull = hours / AMBIENT_FALLS_H if above < 0 else empty * hours / AMBIENT_RISES_H
    return belief.ambient_ppm - above * expm1(-pull)
