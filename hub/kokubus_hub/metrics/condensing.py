"""Condensed for the years: people by the quarter of an hour, what doors decided by the hour.

A span is computed anew from the database whenever a row of it is projected, so evidence that
comes days late ends in its own hour, and twice is once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.metrics.lines import NANOS, Made, line, made, series
from kokubus_hub.metrics.points import Standing
from kokubus_hub.models import table

QUARTER_MS, HOUR_MS, WEEK_MS = 900_000, 3_600_000, 7 * 86_400_000
WEEKS = 4
FEW = 12
"""Quarters: so many are looked up one by one, more in one sweep."""
_ENFORCEMENT, _ESTIMATE = table(models.Enforcement), table(models.Estimate)
_DOOR, _ROOM, _SITE = table(models.Door), table(models.Room), table(models.Site)


@dataclass(frozen=True, slots=True)
class Condensed:
    """How rows of a source are condensed by spans of ``every_ms``, and their points.

    ``of`` is the column that says whose they are: with its index a few rows are found at once.
    """

    every_ms: int
    of: ColumnElement[int]
    query: Select[Any]
    at: ColumnElement[int]
    line: Callable[[Any, Standing], str]

    def lines(self, connection: Connection, rows: Sequence[Any], standing: Standing) -> Made:
        """The points of all spans that hold one of the rows; there is at least one row."""
        begun = {row.at - row.at % self.every_ms for row in rows}
        of_these = self.of.in_({getattr(row, self.of.name) for row in rows})
        within = and_(of_these, self.at >= min(begun), self.at < max(begun) + self.every_ms)
        found = connection.execute(self.query.where(within))
        return made(partial(self.line, row, standing) for row in found if row.begins in begun)


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


class Usual:
    """What is usual a week ahead: the mean of the same quarter of this and the three weeks before.

    So the curve of a whole day is there when it begins. Weeks are of 7 x 24 hours: around a
    change of the clocks an hour is compared with its neighbour. Of a container only weeks in the
    municipality where it will stand: nothing is usual where it has just come to.
    """

    def lines(self, connection: Connection, rows: Sequence[Any], standing: Standing) -> Made:
        """A week after each quarter that holds one of the rows, and the three weeks after that."""
        begun = {row.at - row.at % QUARTER_MS for row in rows}
        reaches = {quarter + week * WEEK_MS for quarter in begun for week in range(WEEKS)}
        seen: defaultdict[tuple[Instant, str], list[Any]] = defaultdict(list)
        for row in connection.execute(_around({row.room_id for row in rows}, begun)):
            stood = standing.at(row.site_id, row.begins)
            for at in (row.begins + week * WEEK_MS for week in range(WEEKS)):
                if standing.at(row.site_id, at + WEEK_MS) == stood:
                    seen[at, row.room].append(row)
        return made(
            partial(_usual, found, at + WEEK_MS, standing)
            for (at, _), found in sorted(seen.items(), key=lambda item: item[0])
            if at in reaches
        )


def _around(rooms: Collection[int], begun: Collection[Instant]) -> Select[Any]:
    """The weeks that any usual value is made of which one of these quarters is part of."""
    at, reach = _ESTIMATE.c.at, (WEEKS - 1) * WEEK_MS
    if len(begun) <= FEW:
        weeks = range(-reach, reach + 1, WEEK_MS)
        spans = [and_(at >= q + off, at < q + off + QUARTER_MS) for q in begun for off in weeks]
        return _believed().where(_ESTIMATE.c.room_id.in_(rooms), or_(*spans))
    first, last = min(begun) - reach, max(begun) + reach + QUARTER_MS
    return _believed().where(_ESTIMATE.c.room_id.in_(rooms), at >= first, at < last)


def _usual(rows: list[Any], at: Instant, standing: Standing) -> str:
    place = standing.at(rows[0].site_id, at)
    tags = (("room", rows[0].room), ("site", rows[0].site), ("municipality", place))
    means = [float(row.mean) for row in rows]
    fields = (("mean", sum(means) / len(means)), ("weeks", len(means)))
    return line(series("usual_15m", tags), fields, at * NANOS)


_PEOPLE = Condensed(QUARTER_MS, _ESTIMATE.c.room_id, _believed(), _ESTIMATE.c.at, _people)
_DOORS = Condensed(HOUR_MS, _ENFORCEMENT.c.door_id, _decided(), _ENFORCEMENT.c.at, _doors)
CONDENSED: dict[str, tuple[Condensed | Usual, ...]] = {
    "estimate": (_PEOPLE, Usual()),
    "enforcement": (_DOORS,),
}
"""By the source whose rows are condensed."""
