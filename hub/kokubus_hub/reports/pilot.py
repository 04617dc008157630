"""Was the container wanted here? One stop beside the others, each figure with its uncertainty.

Everything is computed from released blocks. A week's person-hours are a value; the stop's mean
has Student's interval over its weeks. Where only one block was told, the estimate's own interval
stands in, which knows nothing of how weeks differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

from kokubus_hub.reports.privacy import STEP
from kokubus_hub.reports.statistics import Mean, above, mean_of, trend
from kokubus_hub.settings import Settings

Z90 = 1.645
WEEK_MS = 7 * 86_400_000
MORE_THAN_ONE = 1.5
LONG_ENOUGH = 0.7
"""Of a week; a shorter one (the stop began on a Thursday) is left out of rates and trends."""


NOBODY: dict[str, Any] = {
    "person_hours": 0,
    "person_hours_range": [0, 0],
    "turned_away_hours": 0,
}
"""Of a day without figures: in a week that is told by the day, nobody came on it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A released block: when it began, how many weeks it is long, and its figures.

    ``rounded`` is of how many rounded figures its own are the sum.
    """

    start: int
    weeks: float
    figures: Mapping[str, Any]
    rounded: int = 1


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop's demand: person-hours a week, their change from week to week, hours turned away a
    week, and the probability that demand lies above break-even (None where nobody can say)."""

    person_hours: Mean | None
    change: Mean | None
    turned_away: float | None
    break_even: int
    probability: float | None
    weeks: float


@dataclass(frozen=True, slots=True)
class Commuting:
    """Kilometres and kilograms of CO2 equivalents that were not driven, at least and at most.

    ``visits`` are those for which everybody's kilometres are assumed, ``bands`` the others:
    (first digits of a postcode, visits, kilometres each way at least and at most).
    """

    visits: int
    km: tuple[int, int]
    co2_kg: tuple[int, int]
    km_each: tuple[int, int]
    car_percent: int
    g_per_km: int
    year: int
    source: str
    bands: tuple[tuple[str, int, int, int], ...] = ()


def by_week(blocks: Sequence[Told], monday: Mapping[int, int]) -> list[Told]:
    """Days put together to their weeks; ``monday`` of each block's start."""
    weeks: dict[tuple[int, bool], list[Told]] = {}
    for block in blocks:
        weeks.setdefault((monday[block.start], not _single(block)), []).append(block)
    return [_joined(parts) for _, parts in sorted(weeks.items())]


def _joined(parts: list[Told]) -> Told:
    if len(parts) == 1:
        return parts[0]
    keys = ("person_hours", "turned_away_hours")
    figures: dict[str, Any] = {key: sum(part.figures[key] for part in parts) for key in keys}
    ranges = [part.figures["person_hours_range"] for part in parts]
    figures["person_hours_range"] = [sum(low for low, _ in ranges), sum(high for _, high in ranges)]
    return Told(parts[0].start, sum(part.weeks for part in parts), figures, len(parts))


def assess(weeks: Sequence[Told], break_even: int) -> Stop:
    """A stop from its weeks (`by_week`) and the person-hours a week that would pay for it.

    Quiet weeks that are told together weigh as many as they are, or a stop would look as busy
    as its busy weeks.
    """
    whole = [week for week in weeks if week.weeks >= LONG_ENOUGH]
    rates = [(_rate(week), week.weeks) for week in whole]
    length = sum(week.weeks for week in whole)
    away = sum(week.figures["turned_away_hours"] for week in whole)
    least = _rounding(whole) / length if length else 0.0
    mean, probability = mean_of(rates, least), above(rates, break_even, least)
    if len(whole) == 1:
        mean, probability = _alone(whole[0], break_even)
    change = trend([(week.start / WEEK_MS, _rate(week)) for week in whole if _single(week)])
    return Stop(mean, change, away / length if length else None, break_even, probability, length)


def _rate(week: Told) -> float:
    return float(week.figures["person_hours"] / week.weeks)


def _single(week: Told) -> bool:
    """Whether it is one week; the change of the clocks makes one an hour longer."""
    return week.weeks < MORE_THAN_ONE


def _rounding(weeks: Sequence[Told]) -> float:
    """The standard error, in hours, of the weeks' sum from rounding alone."""
    return STEP * sqrt(sum(week.rounded for week in weeks) / 12)


def _alone(block: Told, break_even: int) -> tuple[Mean, float]:
    value = _rate(block)
    low, high = (bound / block.weeks for bound in block.figures["person_hours_range"])
    spread = max((high - low) / 2 / Z90, 1e-9)
    return Mean(value, low, high, 1), NormalDist(value, spread).cdf(2 * value - break_even)


def commuting(
    visits: float | None, by_band: Mapping[str, int | None], settings: Settings
) -> Commuting | None:
    """``km = visits x 2 x km each way``; ``CO2 = km x share of cars x g a km``.

    Visits that may be told by postcode band have that band's kilometres, where it has any.
    """
    if visits is None:
        return None
    each, known = (settings.commute_km_low, settings.commute_km_high), settings.commute_km_by_band
    told = [(band, count) for band, count in sorted(by_band.items()) if count and band in known]
    bands = tuple((band, count, *known[band]) for band, count in told)
    rest = max(0, round(visits) - sum(count for _, count in told))
    ways = [(rest, *each), *(band[1:] for band in bands)]
    km = [sum(2 * way[0] * way[end] for way in ways) for end in (1, 2)]
    grams = settings.commute_g_per_km * settings.commute_car_percent / 100
    co2 = tuple(round(way * grams / 1000) for way in km)
    return Commuting(
        visits=rest,
        km=(km[0], km[1]),
        co2_kg=(co2[0], co2[1]),
        km_each=each,
        car_percent=settings.commute_car_percent,
        g_per_km=settings.commute_g_per_km,
        year=settings.commute_year,
        source=settings.commute_source,
        bands=bands,
    )
