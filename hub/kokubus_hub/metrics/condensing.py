"""Condensed for the years: people by the quarter of an hour, what doors decided by the hour.

A span is computed anew from the database whenever a row of it is projected, so evidence that
comes days late ends in its own hour, and twice is once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.metrics.lines import NANOS, line, series
from kokubus_hub.metrics.points import Standing
from kokubus_hub.models import table

QUARTER_MS, HOUR_MS = 900_000, 3_600_000
_ENFORCEMENT, _ESTIMATE = table(models.Enforcement), table(models.Estimate)
_DOOR, _ROOM, _SITE = table(models.Door), table(models.Room), table(models.Site)


@dataclass(frozen=True, slots=True)
class Condensed:
    """How rows of a source are condensed by spans of ``every_ms``, and their points."""

    every_ms: int
    query: Select[Any]
    at: ColumnElement[int]
    line: Callable[[Any, Standing], str]

    def lines(
        self, connection: Connection, instants: Iterable[Instant], standing: Standing
    ) -> list[str]:
        """The points of all spans that hold one of the instants; there is at least one."""
        begun = {at - at % self.every_ms for at in instants}
        within = and_(self.at >= min(begun), self.at < max(begun) + self.every_ms)
        rows = connection.execute(self.query.where(within))
        return [self.line(row, standing) for row in rows if row.begins in begun]


def _begins(at: ColumnElement[int], every_ms: int) -> Any:
    return (at - at % every_ms).label("begins")


def _sum(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _decided() -> Select[Any]:
    granted, full = _ENFORCEMENT.c.granted, _ENFORCEMENT.c.reason == "room_full"
    hour = _begins(_ENFORCEMENT.c.at, HOUR_MS)
    place = (_DOOR.c.slug.label("door"), _DOOR.c.site_id, _SITE.c.slug.label("site"))
    return (
        select(
            hour,
            *place,
            _sum(granted).label("granted"),
            _sum(~granted).label("denied"),
            _sum(and_(~granted, full)).label("full"),
        )
        .join_from(_ENFORCEMENT, _DOOR)
        .join(_SITE, _SITE.c.id == _DOOR.c.site_id)
        .group_by(hour, *place)
    )


def _doors(row: Any, standing: Standing) -> str:
    place = standing.at(row.site_id, row.begins)
    tags = (("door", row.door), ("site", row.site), ("municipality", place))
    fields = (("granted", row.granted), ("denied", row.denied), ("full", row.full))
    return line(series("doors_1h", tags), fields, row.begins * NANOS)


def _believed() -> Select[Any]:
    quarter = _begins(_ESTIMATE.c.at, QUARTER_MS)
    place = (_ROOM.c.slug.label("room"), _ROOM.c.site_id, _SITE.c.slug.label("site"))
    names = ("mean", "variance", "low", "high", "presence", "capacity")
    means = (func.avg(_ESTIMATE.c[name] * 1.0).label(name) for name in names)
    return (
        select(quarter, *place, *means)
        .join_from(_ESTIMATE, _ROOM)
        .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
        .group_by(quarter, *place)
    )


def _people(row: Any, standing: Standing) -> str:
    place = standing.at(row.site_id, row.begins)
    tags = (("room", row.room), ("site", row.site), ("municipality", place))
    names = ("mean", "variance", "low", "high", "presence", "capacity")
    fields = [(name, float(getattr(row, name))) for name in names]
    fields.append(("person_hours", float(row.mean) * QUARTER_MS / HOUR_MS))
    return line(series("occupancy_15m", tags), fields, row.begins * NANOS)


CONDENSED = {
    "estimate": Condensed(QUARTER_MS, _believed(), _ESTIMATE.c.at, _people),
    "enforcement": Condensed(HOUR_MS, _decided(), _ENFORCEMENT.c.at, _doors),
}
"""By the source whose rows are condensed."""
