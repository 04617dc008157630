"""How a count moves while nobody looks: an exact birth-death process on 0..N.

Arrivals lambda (1 - n/(N+1)), departures mu n. The transition over t milliseconds is the
product of P(d 8^k ms) over the octal digits d of t, so any gap is exact and nothing is
cached per gap.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]

HOUR_MS = 3_600_000.0
DIGITS = 11
LONGEST_MS = 8**DIGITS - 1  # 99 days; every room has long forgotten by then


def generator(size: int, arrivals: float, departures: float, lowest: int = 0) -> Matrix:
    """Rates per millisecond, (size, size), rows sum to 0; no one leaves below ``lowest``."""
    n = np.arange(size)
    births = arrivals * (1.0 - n / size)
    births[-1] = 0.0
    deaths = np.where(n > lowest, departures * n, 0.0)
    rates = np.diag(births[:-1], 1) + np.diag(deaths[1:], -1)
    return np.asarray((rates - np.diag(births + deaths)) / HOUR_MS)


@lru_cache(maxsize=128)
def steps(
    size: int, arrivals: float, departures: float, lowest: int
) -> tuple[tuple[Matrix, ...], ...]:
    """``steps[k][d - 1]`` is P(d 8^k ms) transposed, k = 0..10, d = 1..7.

    Products of non-negative matrices stay exact to rounding as long as each row is brought
    back to sum 1; an eigendecomposition would lose the far tail of a room that is mostly
    empty (its stationary weights span a hundred orders of magnitude).
    """
    q = generator(size, arrivals, departures, lowest)
    unit = _stochastic(np.eye(size) + q + q @ q / 2.0 + q @ q @ q / 6.0)
    table = []
    for _ in range(DIGITS):
        powers = [unit]
        while len(powers) < 8:
            powers.append(_stochastic(powers[-1] @ unit))
        unit = powers.pop()
        table.append(tuple(np.ascontiguousarray(power.T) for power in powers))
    return tuple(table)


def _stochastic(step: Matrix) -> Matrix:
    step = np.maximum(step, 0.0)
    return np.asarray(step / step.sum(axis=1, keepdims=True))


def advance(p: Vector, table: tuple[tuple[Matrix, ...], ...], gap_ms: int) -> Vector:
    """The distribution ``p`` after ``gap_ms`` milliseconds, at most `LONGEST_MS` of them."""
    rest, place = min(gap_ms, LONGEST_MS), 0
    while rest:
        digit = rest & 7
        if digit:
            p = table[place][digit - 1].dot(p)
        rest, place = rest >> 3, place + 1
    return p


def stationary(size: int, arrivals: float, departures: float) -> Vector:
    """The long-run distribution: what is believed of a room nobody has looked at."""
    n = np.arange(1, size)
    ratios = arrivals * (1.0 - (n - 1) / size) / (departures * n)
    weights = np.concatenate(([1.0], np.cumprod(ratios)))
    return np.asarray(weights / weights.sum())
