"""Means of few weeks with honest intervals: Student's t, without a library for it.

Source: W. S. Gosset, "The Probable Error of a Mean", Biometrika 6 (1908). The distribution is
integrated by Simpson's rule; up to the 99th percentile errors stay below 1e-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, pi, sqrt
from statistics import fmean

_STEPS = 400
Weighed = tuple[float, float]
"""A value and its weight."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 90 % interval (None: one value alone has none)."""

    value: float
    low: float | None
    high: float | None
    count: int


def mean_of(values: Sequence[Weighed], least: float = 0.0) -> Mean | None:
    """The mean of independent (value, weight), such as weeks; None of none.

    A value of weight w is itself the mean of w: its variance is a w-th of that of one of them.
    ``least`` is the standard error that the values have for another reason (rounding).
    """
    if not values:
        return None
    value = _weighed(values)
    if len(values) < 2:
        return Mean(value, None, None, 1)
    half = t_quantile(0.95, len(values) - 1) * max(_error(values), least)
    return Mean(value, value - half, value + half, len(values))


def above(values: Sequence[Weighed], bar: float, least: float = 0.0) -> float | None:
    """The probability that the true mean (`mean_of`) lies above ``bar``, under a flat prior.

    None for fewer than two values, where nobody can say.
    """
    if len(values) < 2:
        return None
    error, mean = max(_error(values), least), _weighed(values)
    if error == 0:
        return 1.0 if mean > bar else 0.0
    return t_below((mean - bar) / error, len(values) - 1)


def _weighed(values: Sequence[Weighed]) -> float:
    return sum(value * weight for value, weight in values) / sum(weight for _, weight in values)


def _error(values: Sequence[Weighed]) -> float:
    """The standard error of the weighed mean of two values at least."""
    mean, total = _weighed(values), sum(weight for _, weight in values)
    spread = sum(weight * (value - mean) ** 2 for value, weight in values) / (len(values) - 1)
    return sqrt(spread / total)


def trend(values: Sequence[tuple[float, float]]) -> Mean | None:
    """The change of (when, value) per unit of time by least squares; None for fewer than three."""
    count = len(values)
    if count < 3:
        return None
    middle, mean = fmean(at for at, _ in values), fmean(y for _, y in values)
    spread = sum((at - middle) ** 2 for at, _ in values)
    slope = sum((at - middle) * (y - mean) for at, y in values) / spread
    off = [y - mean - slope * (at - middle) for at, y in values]
    error = sqrt(sum(one * one for one in off) / (count - 2) / spread)
    half = t_quantile(0.95, count - 2) * error
    return Mean(slope, slope - half, slope + half, count)


def t_below(t: float, freedom: int) -> float:
    """P(T < t) of Student's t with ``freedom`` degrees."""
    if t in (inf, -inf):
        return float(t > 0)
    x = min(abs(t), 1e4)
    # u = T / sqrt(freedom + T^2) makes the tail finite, however far t is out
    end = x / sqrt(freedom + x * x)
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(pi)
    step = end / _STEPS
    weights = (1 if i in (0, _STEPS) else 4 if i % 2 else 2 for i in range(_STEPS + 1))
    area = sum(
        weight * (1 - (i * step) ** 2) ** (freedom / 2 - 1) for i, weight in enumerate(weights)
    )
    half = min(0.5, float(scale * area * step / 3))
    return 0.5 + half if t > 0 else 0.5 - half


@lru_cache(maxsize=256)
def t_quantile(share: float, freedom: int) -> float:
    """Where P(T < t) is ``share``, by bisection."""
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, freedom) < share else (low, middle)
    return (low + high) / 2
