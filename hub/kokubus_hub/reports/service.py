"""Reports of a site, a municipality or a stay: released blocks, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.problems import not_found
from kokubus_hub.reports import adding, pilot
from kokubus_hub.reports.adding import Value
from kokubus_hub.reports.periods import local_day, midnight, monday_of
from kokubus_hub.reports.pilot import Commuting, Stop, Told
from kokubus_hub.reports.privacy import Level
from kokubus_hub.settings import Settings

_BLOCK, _SITE = table(models.ReportBlock), table(models.Site)
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)
_QUERY = (
    select(
        _BLOCK,
        _SITE.c.slug.label("site"),
        _SITE.c.name.label("site_name"),
        _SITE.c.kind,
        _SITE.c.timezone,
        _MUNICIPALITY.c.slug.label("municipality"),
        _MUNICIPALITY.c.name.label("municipality_name"),
        _PLACEMENT.c.start.label("stay_start"),
        _PLACEMENT.c.end.label("stay_end"),
    )
    .join_from(_BLOCK, _SITE)
    .join(_PLACEMENT, _PLACEMENT.c.id == _BLOCK.c.placement_id)
    .join(_MUNICIPALITY, _MUNICIPALITY.c.id == _PLACEMENT.c.municipality_id)
    .order_by(_BLOCK.c.start, _BLOCK.c.site_id, _BLOCK.c.id)
)


class Scope(StrEnum):
    """What a report is about."""

    SITES = "sites"
    MUNICIPALITIES = "municipalities"
    PLACEMENTS = "placements"


@dataclass(frozen=True, slots=True)
class Period:
    """A block of time at a site, with its figures (None: held back)."""

    level: str
    start: Instant
    end: Instant
    site: str
    site_name: str
    municipality: str
    zone: str
    figures: dict[str, Value] | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A stop of a container in a comparison of stops."""

    placement: int
    name: str
    start: Instant
    stop: Stop
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report. ``heat`` is of the newest stay in it; ``stops`` only where a container stood."""

    scope: Scope
    name: str
    title: str
    zone: str
    periods: list[Period]
    totals: dict[str, Value]
    heat: list[list[int | None]] | None
    commuting: Commuting | None
    stops: list[Compared]


@dataclass(frozen=True, slots=True)
class Listed:
    """Something there is a report of. ``since`` is when a stay began, else None."""

    scope: Scope
    name: str
    title: str
    since: Instant | None = None


def contents(connection: Connection) -> list[Listed]:
    """Everything there may be a report of."""
    towns = connection.execute(select(_MUNICIPALITY).order_by(_MUNICIPALITY.c.name))
    found = [Listed(Scope.MUNICIPALITIES, row.slug, row.name) for row in towns]
    sites = connection.execute(select(_SITE).order_by(_SITE.c.name))
    found += [Listed(Scope.SITES, row.slug, row.name) for row in sites]
    placements = (
        select(_PLACEMENT, _SITE.c.name.label("site"), _MUNICIPALITY.c.name.label("town"))
        .join_from(_PLACEMENT, _SITE)
        .join(_MUNICIPALITY, _MUNICIPALITY.c.id == _PLACEMENT.c.municipality_id)
        .where(_SITE.c.kind == "container")
        .order_by(_PLACEMENT.c.start.desc())
    )
    for row in connection.execute(placements):
        title = f"{row.site}, {row.town}"
        found.append(Listed(Scope.PLACEMENTS, str(row.id), title, row.start))
    return found


def report(
    connection: Connection, settings: Settings, scope: Scope, name: str, year: int | None = None
) -> Report:
    """The report; ``year`` is of ISO weeks. 404 for a name there is not."""
    title, zone = _title(connection, scope, name)
    column = {
        Scope.SITES: _SITE.c.slug,
        Scope.MUNICIPALITIES: _MUNICIPALITY.c.slug,
        Scope.PLACEMENTS: _PLACEMENT.c.id,
    }[scope]
    asked = int(name) if scope is Scope.PLACEMENTS else name
    rows = connection.execute(_QUERY.where(column == asked)).all()
    if year is not None:
        rows = [row for row in rows if _year(row) == year]
    told = [row.figures for row in rows if row.figures is not None]
    totals = adding.together(told)
    return Report(
        scope=scope,
        name=name,
        title=title,
        zone=zone,
        periods=[_period(row) for row in rows if row.start < row.end],
        totals=totals,
        heat=next((row.heat for row in reversed(rows) if row.heat is not None), None),
        commuting=pilot.commuting(
            totals["visits"].value, totals["visits_by_band"].parts or {}, settings
        ),
        stops=_stops(connection, settings, rows),
    )


def _title(connection: Connection, scope: Scope, name: str) -> tuple[str, str]:
    if scope is Scope.PLACEMENTS and not (name.isascii() and name.isdigit() and len(name) < 16):
        raise not_found("placement", name)
    wanted = (one for one in contents(connection) if (one.scope, one.name) == (scope, name))
    found = next(wanted, None)
    if found is None:
        raise not_found(scope.value, name)
    zone = connection.execute(select(_SITE.c.timezone).limit(1)).scalar()
    return found.title, str(zone or "UTC")


def _year(row: Row[Any]) -> int:
    return local_day(max(row.start, row.end - 1), ZoneInfo(row.timezone)).isocalendar().year


def _period(row: Row[Any]) -> Period:
    told = adding.together([row.figures]) if row.figures is not None else None
    return Period(
        row.level,
        row.start,
        row.end,
        row.site,
        row.site_name,
        row.municipality,
        row.timezone,
        told,
    )


def _stops(connection: Connection, settings: Settings, rows: Sequence[Row[Any]]) -> list[Compared]:
    """Every stop of every container, those of this report marked; none without a container."""
    here = {row.placement_id for row in rows if row.kind == "container"}
    if not here:
        return []
    by_stop: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(_QUERY.where(_SITE.c.kind == "container")):
        by_stop.setdefault(row.placement_id, []).append(row)
    found = []
    for placement, blocks in by_stop.items():
        if (stop := _assessed(blocks, settings)).person_hours is not None:
            first = blocks[0]
            found.append(
                Compared(
                    placement, first.municipality_name, first.stay_start, stop, placement in here
                )
            )
    return found


def _assessed(rows: Sequence[Row[Any]], settings: Settings) -> Stop:
    blocks = [
        Told(row.start, row.weeks, row.figures or pilot.NOBODY)
        for row in rows
        if row.figures is not None or row.level == Level.DAY
    ]
    zone = ZoneInfo(rows[0].timezone)
    monday = {one.start: midnight(monday_of(local_day(one.start, zone)), zone) for one in blocks}
    return pilot.assess(pilot.by_week(blocks, monday), settings.break_even_person_hours)
