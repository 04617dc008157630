"""From what was measured to what may be told (`privacy`): the figures of one block of time.

Person-hours and their 90 % interval: means and variances of the rooms' estimates add up; within
a day the errors of the count are taken as one, between days as independent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from math import sqrt
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from kokubus_hub.reports.catalogue import UNKNOWN_BAND
from kokubus_hub.reports.measuring import HOUR_MS, Measured, Quarter, Visit
from kokubus_hub.reports.periods import Span, local, local_day
from kokubus_hub.reports.privacy import K, Part, partition, rounded

Z90 = 1.645
FULL = 0.8
"""From this share of its places on a site is called full."""
WARY_PPM, BAD_PPM = 1_000, 1_400
EMPTY = 0.05
"""Below this mean share of its places a site counts as empty."""
Figures = dict[str, Any]
"""By key: a number, None where it may not be told, or ``[low, high]``."""


def figures(measured: Measured, zone: ZoneInfo) -> Figures:
    """What may be told of a block; whoever calls has seen that `K` people are behind it."""
    opened = [quarter for quarter in measured.quarters if quarter.open]
    hours = sum(quarter.mean for quarter in measured.quarters) / 4
    half = _half(measured.quarters, zone)
    return {
        "open_hours": measured.open_quarters / 4,
        "place_hours": measured.places * measured.open_quarters / 4,
        "person_hours": rounded(hours),
        "person_hours_range": [rounded(max(0.0, hours - half)), rounded(hours + half)],
        "person_hours_open": rounded(sum(quarter.mean for quarter in opened) / 4),
        "full_hours": round(sum(_share(q, measured) >= FULL for q in opened) / 4),
        "peak": _peak(opened, measured),
        "measured_hours": round(len(opened) / 4),
        "turned_away_hours": len(measured.turned_away),
        "people": rounded(len(measured.people)),
        "visits": rounded(len(measured.visits)),
        **_visits(measured),
        **_bands(measured),
        **_bookings(measured),
        **_dwell(measured),
        **_air(measured),
    }


def _share(quarter: Quarter, measured: Measured) -> float:
    return quarter.mean / measured.places if measured.places else 0.0


def _half(quarters: Iterable[Quarter], zone: ZoneInfo) -> float:
    days: defaultdict[Any, float] = defaultdict(float)
    for quarter in quarters:
        days[local_day(quarter.at, zone)] += Z90 * sqrt(quarter.variance) / 4
    return sqrt(sum(half * half for half in days.values()))


def _peak(opened: Sequence[Quarter], measured: Measured) -> int | None:
    """In per cent of the places, rounded to 5: the 95th percentile of the quarters' means."""
    if not opened or not measured.places:
        return None
    ranked = sorted(quarter.mean for quarter in opened)
    high = ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
    return rounded(100 * high / measured.places)


def _visits(measured: Measured) -> Figures:
    with_booking, without = measured.booked_visits, measured.visits - measured.booked_visits
    came = measured.came
    returning = came & measured.known_before
    told = partition({"booked_visits": _part(with_booking), "walk_ins": _part(without)})
    new = came - returning
    parts = {"new": Part(len(new), new), "returning": Part(len(returning), returning)}
    return {**told, **partition(parts)}


def _bands(measured: Measured) -> Figures:
    """Visits by postcode band; those of nobody who gave one are a part among them."""
    visits: defaultdict[str, set[Visit]] = defaultdict(set)
    for visit in measured.visits if measured.postcode_bands else ():
        visits[measured.postcode_bands.get(visit[0], UNKNOWN_BAND)].add(visit)
    return {"visits_by_band": partition({band: _part(of) for band, of in visits.items()})}


def _part(visits: AbstractSet[Visit]) -> Part:
    return Part(len(visits), frozenset(member for member, _ in visits))


def _bookings(measured: Measured) -> Figures:
    by_use: dict[str, list[int | None]] = {"bookings_used": [], "no_shows": []}
    by_purpose: defaultdict[str, list[int | None]] = defaultdict(list)
    for booking in measured.bookings:
        by_use["bookings_used" if booking.came else "no_shows"].append(booking.member)
        by_purpose[booking.purpose].append(booking.member)
    total = _of(member for members in by_use.values() for member in members)
    told: dict[str, int | None] = dict.fromkeys(("bookings", *by_use))
    purposes: dict[str, int | None] = dict.fromkeys(by_purpose)
    if len(total.people) >= K or not total.count:
        told = {"bookings": rounded(total.count), **partition(_each(by_use))}
        purposes = partition(_each(by_purpose))
    return {**told, "purposes": purposes}


def _each(groups: dict[str, list[int | None]]) -> dict[str, Part]:
    return {name: _of(members) for name, members in groups.items()}


def _of(members: Iterable[int | None]) -> Part:
    """Bookings whose member nobody knows count, but stand for nobody."""
    found = list(members)
    return Part(len(found), frozenset(member for member in found if member is not None))


def _dwell(measured: Measured) -> Figures:
    """Only where at least half of the visits have a badge-out, of at least `K` people."""
    people = {member for member, _ in measured.stays_ms}
    if len(people) < K or 2 * len(measured.stays_ms) < len(measured.visits):
        return {"dwell_minutes": None}
    minutes = median(ms for _, ms in measured.stays_ms) / 60_000
    return {"dwell_minutes": 15 * round(minutes / 15)}


def _air(measured: Measured) -> Figures:
    if not measured.air:
        return {"air_hours": None, "wary_air_hours": None, "bad_air_hours": None}
    levels = list(measured.air.values())
    return {
        "air_hours": round(len(levels) / 4),
        "wary_air_hours": round(sum(ppm > WARY_PPM for ppm in levels) / 4),
        "bad_air_hours": round(sum(ppm > BAD_PPM for ppm in levels) / 4),
    }


def heat(measured: Measured, zone: ZoneInfo) -> list[list[int | None]]:
    """Seven weekdays of 24 hours: 0 (empty) to 4 (over three quarters full), None: not told.

    An hour is told if it was counted in at least three weeks, on a weekday on which at least
    `K` people came, and if as many may have been there in that very hour, or nobody was. Four
    steps of a quarter of the places: too coarse to be added up.
    """
    seen: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    weeks: defaultdict[tuple[int, int], set[Any]] = defaultdict(set)
    for quarter in measured.quarters:
        at = local(quarter.at, zone)
        seen[at.weekday(), at.hour].append(_share(quarter, measured))
        weeks[at.weekday(), at.hour].add(at.date())
    came = [{m for m, day in measured.visits if day.weekday() == weekday} for weekday in range(7)]
    there = _there(measured, zone)

    def told(weekday: int, hour: int) -> int | None:
        shares, people = seen[weekday, hour], len(there[weekday, hour])
        if len(weeks[weekday, hour]) < 3 or len(came[weekday]) < K or 0 < people < K:
            return None
        mean = sum(shares) / len(shares)
        if mean < EMPTY:
            return 0
        return min(4, 1 + int(4 * mean)) if people else None

    return [[told(weekday, hour) for hour in range(24)] for weekday in range(7)]


def _there(measured: Measured, zone: ZoneInfo) -> defaultdict[tuple[int, int], set[int]]:
    """Who may have been inside, by weekday and hour."""
    found: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for (member, _), (since, until) in measured.inside.items():
        for at in range(since - since % HOUR_MS, until, HOUR_MS):
            then = local(at, zone)
            found[then.weekday(), then.hour].add(member)
    return found


def weeks_in(spans: Sequence[Span]) -> float:
    """How many weeks these spans are long."""
    return sum(end - start for start, end in spans) / (7 * 86_400_000)
