"""Means of few weeks with honest intervals: Student's t, without a library for it.

Source: W. S. Gosset, "The Probable Error of a Mean", Biometrika 6 (1908). The distribution is
integrated by Simpson's rule; up to the 99th percentile errors stay below 1e-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, pi, sqrt
from statistics import fmean, stdev

_STEPS = 400


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 90 % interval (None: one value alone has none)."""

    value: float
    low: float | None
    high: float | None
    count: int


def mean_of(values: Sequence[float]) -> Mean | None:
    """The mean of independent values, such as weeks; None of none."""
    if not values:
        return None
    value = fmean(values)
    if len(values) < 2:
        return Mean(value, None, None, 1)
    half = t_quantile(0.95, len(values) - 1) * stdev(values) / sqrt(len(values))
    return Mean(value, value - half, value + half, len(values))


def above(values: Sequence[float], bar: float) -> float | None:
    """The probability that the true mean lies above ``bar``, under a flat prior.

    None for fewer than two values, where nobody can say.
    """
    if len(values) < 2:
        return None
    error = stdev(values) / sqrt(len(values))
    if error == 0:
        return 1.0 if fmean(values) > bar else 0.0
    return t_below((fmean(values) - bar) / error, len(values) - 1)


def trend(values: Sequence[float]) -> Mean | None:
    """The change from one value to the next by least squares; None for fewer than three."""
    count = len(values)
    if count < 3:
        return None
    middle, mean = (count - 1) / 2, fmean(values)
    spread = sum((place - middle) ** 2 for place in range(count))
    slope = sum((place - middle) * (y - mean) for place, y in enumerate(values)) / spread
    off = [y - mean - slope * (place - middle) for place, y in enumerate(values)]
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
