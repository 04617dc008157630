"""How a count moves while nobody looks: an exact birth-death process on 0..N.

Arrivals lambda (1 - n/(N+1)), departures mu n. The transition over t milliseconds is the
product of P(d base^k ms) over the digits d of t, so any gap is exact. Sensors speak at much the
same intervals, so the products of the gaps met first are kept.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]

HOUR_MS = 3_600_000.0
LONGEST_MS = 2**33 - 1  # 99 days; every room has long forgotten by then
SMALL, MIDDLE = 32, 128
WHOLE_BYTES = 2**20
"""What the matrices of whole gaps may take in one room and regime: 668 of them for ten places."""


class Steps:
    """The transitions of one room in one regime, ready to be applied over any gap.

    Digits of six bits need three products for half a minute, but 378 matrices; rooms of
    more places have fewer matrices and take more products.
    """

    __slots__ = ("_bits", "_mask", "_room_for", "_table", "_whole")

    def __init__(self, size: int, unit: Matrix) -> None:
        self._bits = 6 if size <= SMALL else 3 if size <= MIDDLE else 1
        self._mask = 2**self._bits - 1
        self._table = [*_digits(unit, self._bits)]
        self._whole: dict[int, Matrix] = {}
        self._room_for = WHOLE_BYTES // unit.nbytes

    def advance(self, p: Vector, gap_ms: int) -> Vector:
        """The distribution ``p`` after ``gap_ms`` milliseconds, at most `LONGEST_MS` of them."""
        whole = self._whole.get(gap_ms)
        if whole is None:
            factors = self._factors(gap_ms)
            if len(factors) > 1 and len(self._whole) < self._room_for:
                factors = [reduce(lambda done, more: more.dot(done), factors)]
                self._whole[gap_ms] = factors[0]
        else:
            factors = [whole]
        for factor in factors:
            p = factor.dot(p)
        return p

    def recall(self, chances: Vector, gap_ms: int) -> Vector:
        """By count now, the expectation of ``chances`` ``gap_ms`` later: the adjoint of `advance`.

        ``advance(p, t) @ chances == p @ recall(chances, t)``: what smoothing goes back by.
        """
        for factor in reversed(self._factors(gap_ms)):
            chances = chances.dot(factor)
        return chances

    def _factors(self, gap_ms: int) -> list[Matrix]:
        """The matrices, in the order they are applied, whose product is the gap's."""
        rest, found = min(gap_ms, LONGEST_MS), []
        for powers in self._table:
            if not rest:
                break
            if digit := rest & self._mask:
                found.append(powers[digit - 1])
            rest >>= self._bits
        return found


def generator(size: int, arrivals: float, departures: float, lowest: int = 0) -> Matrix:
    """Rates per millisecond, (size, size), rows sum to 0; no one leaves below ``lowest``."""
    n = np.arange(size)
    births = arrivals * (1.0 - n / size)
    births[-1] = 0.0
    deaths = np.where(n > lowest, departures * n, 0.0)
    rates = np.diag(births[:-1], 1) + np.diag(deaths[1:], -1)
    return np.asarray((rates - np.diag(births + deaths)) / HOUR_MS)


@lru_cache(maxsize=64)
def steps(size: int, arrivals: float, departures: float, lowest: int) -> Steps:
    """The transitions for these rates per hour.

    Products of non-negative matrices stay exact to rounding as long as each row is brought
    back to sum 1; an eigendecomposition would lose the far tail of a room that is mostly
    empty (its stationary weights span a hundred orders of magnitude).
    """
    q = generator(size, arrivals, departures, lowest)
    return Steps(size, _stochastic(np.eye(size) + q + q @ q / 2.0 + q @ q @ q / 6.0))


def _digits(unit: Matrix, bits: int) -> list[tuple[Matrix, ...]]:
    """P(d base^k ms), transposed, d = 1..base-1, for each k below `LONGEST_MS`."""
    table = []
    for _ in range(-(-33 // bits)):
        powers = [unit]
        while len(powers) < 2**bits:
            powers.append(_stochastic(powers[-1] @ unit))
        unit = powers.pop()
        table.append(tuple(np.ascontiguousarray(power.T) for power in powers))
    return table


def _stochastic(step: Matrix) -> Matrix:
    step = np.maximum(step, 0.0)
    return np.asarray(step / step.sum(axis=1, keepdims=True))


def stationary(size: int, arrivals: float, departures: float) -> Vector:
    """The long-run distribution: what is believed of a room nobody has looked at."""
    n = np.arange(1, size)
    ratios = arrivals * (1.0 - (n - 1) / size) / (departures * n)
    weights = np.concatenate(([1.0], np.cumprod(ratios)))
    return np.asarray(weights / weights.sum())
