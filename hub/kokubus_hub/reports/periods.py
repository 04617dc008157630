"""The only periods a report knows: days in ISO weeks in stays. None overlaps another.

A stay is one placement of the container; a building, which stands for good, is counted in
seasons of 13 ISO weeks (the fourth has 13 or 14), so that weeks never straddle two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table

Span = tuple[Instant, Instant]
"""From the first instant to before the second."""
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)
_SITE = table(models.Site)
_WEEKS = 13
_WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Stay:
    """A site at a municipality from ``start`` until ``end`` (None: nobody said until when)."""

    placement_id: int
    site: Row[Any]
    municipality: str
    municipality_name: str
    start: Instant
    end: Instant | None

    @property
    def zone(self) -> ZoneInfo:
        """The timezone its days are of."""
        return ZoneInfo(self.site.timezone)

    def weeks(self, now: Instant) -> Iterator[Span]:
        """Its ISO weeks that are over, the first and last cut to the stay."""
        until = now if self.end is None else min(self.end, now)
        monday = monday_of(local_day(self.start, self.zone))
        while True:
            begins, monday = midnight(monday, self.zone), monday + timedelta(days=7)
            ends = midnight(monday, self.zone)
            if self.end is not None:
                ends = min(ends, self.end)
            if ends > until or begins >= ends:
                return
            yield max(begins, self.start), ends

    def days(self, week: Span) -> Iterator[Span]:
        """The days of one of its weeks, cut like it."""
        day = local_day(week[0], self.zone)
        while (begins := midnight(day, self.zone)) < week[1]:
            day += timedelta(days=1)
            yield max(begins, week[0]), min(midnight(day, self.zone), week[1])


def stays(connection: Connection, now: Instant) -> list[Stay]:
    """Every stay that has begun, oldest first."""
    query = (
        select(
            _PLACEMENT,
            _MUNICIPALITY.c.slug.label("municipality"),
            _MUNICIPALITY.c.name.label("municipality_name"),
        )
        .join_from(_PLACEMENT, _MUNICIPALITY)
        .where(_PLACEMENT.c.start <= now)
        .order_by(_PLACEMENT.c.start, _PLACEMENT.c.id)
    )
    sites = {row.id: row for row in connection.execute(select(_SITE))}
    found = connection.execute(query).all()
    return [stay for row in found for stay in _of(row, sites[row.site_id], now)]


def placed(connection: Connection) -> list[Row[Any]]:
    """From when until when which site stands, in which timezone: all that periods depend on."""
    columns = _PLACEMENT.c.id, _PLACEMENT.c.start, _PLACEMENT.c.end, _SITE.c.kind, _SITE.c.timezone
    query = select(*columns, _PLACEMENT.c.site_id).join_from(_PLACEMENT, _SITE)
    return list(connection.execute(query.order_by(_PLACEMENT.c.id)))


def next_end(standing: Iterable[Row[Any]], now: Instant) -> Instant:
    """When the next week or stay of these ends after an instant, at the latest in a week."""
    ends = {row.end for row in standing if row.end is not None}
    for zone in {ZoneInfo(row.timezone) for row in standing}:
        monday = monday_of(local_day(now, zone)) + timedelta(days=7)
        ends.add(midnight(monday, zone))
    return min((end for end in ends if end > now), default=now + _WEEK_MS)


def _of(row: Row[Any], site: Row[Any], now: Instant) -> Iterator[Stay]:
    named = (row.id, site, row.municipality, row.municipality_name)
    if site.kind == "container":
        yield Stay(*named, row.start, row.end)
        return
    start, zone = row.start, ZoneInfo(site.timezone)
    until = now if row.end is None else min(row.end, now + 1)
    while start < until:
        ends = midnight(season_end(local_day(start, zone)), zone)
        yield Stay(*named, start, ends if row.end is None else min(ends, row.end))
        start = ends


def season_end(day: date) -> date:
    """The Monday after the season of 13 ISO weeks that ``day`` lies in."""
    year, week, _ = day.isocalendar()
    season = min((week - 1) // _WEEKS, 3)
    if season == 3:
        return date.fromisocalendar(year + 1, 1, 1)
    return date.fromisocalendar(year, (season + 1) * _WEEKS + 1, 1)


def monday_of(day: date) -> date:
    """The Monday of a day's ISO week."""
    return day - timedelta(days=day.weekday())


def midnight(day: date, zone: ZoneInfo) -> Instant:
    """When a day begins."""
    return int(datetime.combine(day, time(0), zone).timestamp()) * 1000


def local(at: Instant, zone: ZoneInfo) -> datetime:
    """An instant on a place's clock."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)


def local_day(at: Instant, zone: ZoneInfo) -> date:
    """The day an instant lies in, at a place."""
    return local(at, zone).date()
