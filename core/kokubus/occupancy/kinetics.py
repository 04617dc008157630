"""How a count moves while nobody looks: an exact birth-death process on 0..N.

Arrivals lambda (1 - n/(N+1)), departures mu n. The transition over t milliseconds is
the product of P(2^k ms) over the binary digits of t, so any gap is exact and nothing is
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
DIGITS = 36  # 2^36 ms are two years; every room has long forgotten by then


def generator(size: int, arrivals: float, departures: float, lowest: int = 0) -> Matrix:
    """Rates per millisecond, (size, size), rows sum to 0; no one leaves below ``lowest``."""
    n = np.arange(size)
    births = arrivals * (1.0 - n / size)
    births[-1] = 0.0
    deaths = np.where(n > lowest, departures * n, 0.0)
    rates = np.diag(births[:-1], 1) + np.diag(deaths[1:], -1)
    return np.asarray((rates - np.diag(births + deaths)) / HOUR_MS)


@lru_cache(maxsize=64)
def steps(size: int, arrivals: float, departures: float, lowest: int) -> tuple[Matrix, ...]:
    """P(2^k ms) transposed, for k = 0..35.

    Squaring keeps non-negative entries exact to rounding as long as each row is brought
    back to sum 1; an eigendecomposition would lose the far tail of a room that is mostly
    empty (its stationary weights span a hundred orders of magnitude).
    """
    q = generator(size, arrivals, departures, lowest)
    step = np.eye(size) + q + q @ q / 2.0 + q @ q @ q / 6.0
    powers = []
    for _ in range(DIGITS):
        step = np.maximum(step, 0.0)
        step /= step.sum(axis=1, keepdims=True)
        powers.append(np.ascontiguousarray(step.T))
        step = step @ step
    return tuple(powers)


def advance(p: Vector, powers: tuple[Matrix, ...], gap_ms: int) -> Vector:
    """The distribution ``p`` after ``gap_ms`` milliseconds."""
    gap_ms = min(gap_ms, 2**DIGITS - 1)
    while gap_ms:
        low = gap_ms & -gap_ms
        p = powers[low.bit_length() - 1] @ p
        gap_ms ^= low
    return p


def stationary(size: int, arrivals: float, departures: float) -> Vector:
    """The long-run distribution: what is believed of a room nobody has looked at."""
    n = np.arange(1, size)
    ratios = arrivals * (1.0 - (n - 1) / size) / (departures * n)
    weights = np.concatenate(([1.0], np.cumprod(ratios)))
    return np.asarray(weights / weights.sum())
