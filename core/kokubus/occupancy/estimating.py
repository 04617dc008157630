"""What people are told: a count with its interval, and which sensor says so."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from operator import mul
from typing import Literal, TypeAlias

from kokubus.messages import Instant
from kokubus.occupancy.belief import SENSORS, Belief
from kokubus.occupancy.evidence import Sensor
from kokubus.occupancy.filtering import log_odds, predict
from kokubus.occupancy.model import RoomModel

Level: TypeAlias = Literal["free", "medium", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """People in a room: ``low`` to ``high`` is the 90 % interval, ``presence`` P(n > 0).

    ``median``, ``mean`` and ``variance`` are those of the count's distribution.

    ``log_odds`` are those of presence; ``contributions`` what each sensor has lately added
    to them (fading over half an hour; the rest is what was known before). ``drift``: more
    people left than the room held, so a passage was missed; a closing reset clears it.
    """

    at: Instant
    median: int
    mean: float
    variance: float
    low: int
    high: int
    presence: float
    log_odds: float
    contributions: Mapping[Sensor, float]
    drift: bool


def estimate(model: RoomModel, belief: Belief, at: Instant, open_: bool) -> Estimate:
    """The count at ``at``; same rules as `kokubus.occupancy.predict`."""
    return reading_of(predict(model, belief, at, open_))


def reading_of(belief: Belief) -> Estimate:
    """The count a belief holds, at the belief's own instant."""
    said = {s: w for s, w in zip(SENSORS, belief.weights, strict=True) if w}
    return of_posterior(belief.at, belief.posterior, said, drift=belief.drift > 0)


def of_posterior(
    at: Instant, posterior: Sequence[float], said: Mapping[Sensor, float], *, drift: bool
) -> Estimate:
    """The count as ``posterior``, P(n) for n = 0, 1, ..., has it."""
    below = tuple(accumulate(posterior))
    mean = sum(map(mul, posterior, count()))
    return Estimate(
        at=at,
        median=_quantile(below, 0.5),
        mean=mean,
        variance=sum([(n - mean) ** 2 * p for n, p in enumerate(posterior)]),
        low=_quantile(below, 0.05),
        high=_quantile(below, 0.95),
        presence=1.0 - posterior[0],
        log_odds=log_odds(posterior[0]),
        contributions=said,
        drift=drift,
    )


def level(estimate: Estimate, capacity: int) -> Level:
    """What whoever is not signed in may know: up to half is free, from nine tenths full.

    In a room for two or more, nobody and one person both read ``free``: a count of one is
    personal data.
    """
    if estimate.median >= 0.9 * capacity and estimate.median > 0:
        return "full"
    return "free" if estimate.median <= max(1, capacity // 2) else "medium"


def _quantile(below: tuple[float, ...], share: float) -> int:
    return min(bisect_left(below, share), len(below) - 1)
