"""Release what may be told, once: the worker cuts time into blocks and keeps their figures.

A block is released `SETTLE_MS` after it is over, when doors that were offline have reported. It
stays as it is: an export of later says the same, so that two exports cannot be subtracted, and
nothing changes when taps forget their member or a member is erased. Nor is any day of a site
told twice: where a placement is put right later, weeks that a released one reaches into are
left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from kokubus.messages import Instant
from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.reports import telling
from kokubus_hub.reports.measuring import DAY_MS, Measured, measure, people_by_day
from kokubus_hub.reports.periods import Span, Stay, next_end, placed, stays
from kokubus_hub.reports.privacy import Level, level_of, may_tell

SETTLE_MS = 4 * DAY_MS
"""A door decides alone and keeps its facts for three days; then another for the network."""
_BLOCK = table(models.ReportBlock)
Block = dict[str, Any]


class Releasing:
    """Releases what is due, and until then only sees whether sites stand as they stood.

    A block is due when a week or a placement is over. To look at the weeks of years for one
    that is missing costs the more the longer a network exists.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: Sequence[Any] = ()
        self._idle_until: Instant = 0

    def look(self, now: Instant) -> None:
        """Release the oldest that is due, if any is."""
        with database.reading(self._engine) as connection:
            standing = placed(connection)
        if standing == self._seen and now < self._idle_until:
            return
        if not release_next(self._engine, now):
            self._seen = standing
            self._idle_until = next_end(standing, now - SETTLE_MS) + SETTLE_MS


def release_next(engine: Engine, now: Instant) -> bool:
    """Release the oldest week or stay that is due; False if none is.

    One at a time, so that a hub with years behind it goes on doing what cannot wait.
    """
    with database.reading(engine) as connection:
        due = _due(connection, now - SETTLE_MS)
        if due is None:
            return False
        stay, week = due
        blocks = _week(connection, stay, week) if week else _rest(connection, stay)
    with database.writing(engine) as connection:
        connection.execute(insert(_BLOCK), [block | {"made_at": now} for block in blocks])
    return True


def _due(connection: Connection, settled: Instant) -> tuple[Stay, Span | None] | None:
    for stay in stays(connection, settled):
        told = _told_of(connection, stay.site.id)
        for week in stay.weeks(settled):
            if not told.reach_into(week):
                return stay, week
        over = stay.end is not None and stay.end <= settled
        if over and not any(row.level == Level.STAY for row in _blocks(connection, stay)):
            return stay, None
    return None


@dataclass(slots=True)
class _Told:
    """The days and weeks of a site that are released, in order."""

    starts: list[Instant]
    ends: list[Instant]

    def reach_into(self, week: Span) -> bool:
        """Whether one of them holds a part of this week; they do not overlap each other."""
        last = bisect_left(self.starts, week[1]) - 1
        return last >= 0 and self.ends[last] > week[0]


def _told_of(connection: Connection, site: int) -> _Told:
    query = select(_BLOCK.c.start, _BLOCK.c.end).where(
        _BLOCK.c.site_id == site, _BLOCK.c.level != Level.STAY
    )
    rows = connection.execute(query.order_by(_BLOCK.c.start)).all()
    return _Told([row.start for row in rows], [row.end for row in rows])


def _blocks(connection: Connection, stay: Stay) -> list[Any]:
    """The blocks of a stay, in their order."""
    query = select(_BLOCK).where(
        _BLOCK.c.placement_id == stay.placement_id, _BLOCK.c.start >= stay.start
    )
    if stay.end is not None:
        query = query.where(_BLOCK.c.start < stay.end)
    return list(connection.execute(query.order_by(_BLOCK.c.start, _BLOCK.c.id)))


def _week(connection: Connection, stay: Stay, week: Span) -> list[Block]:
    people = people_by_day(connection, stay, week)
    level = level_of(people)
    if level is Level.DAY:
        days = zip(stay.days(week), people, strict=True)
        return [_day(connection, stay, day, bool(came)) for day, came in days]
    if level is Level.WEEK:
        return [_told(stay, level, measure(connection, stay, [week]))]
    return [_row(stay, Level.WEEK, [week], None)]


def _day(connection: Connection, stay: Stay, day: Span, came: bool) -> Block:
    """Of a day on which nobody came there are no figures, only air and open doors."""
    if not came:
        return _row(stay, Level.DAY, [day], None)
    return _told(stay, Level.DAY, measure(connection, stay, [day]))


def _rest(connection: Connection, stay: Stay) -> list[Block]:
    """At the end of a stay: its weeks that had too few people each, together."""
    held = [
        (row.start, row.end)
        for row in _blocks(connection, stay)
        if row.level == Level.WEEK and row.figures is None
    ]
    if not held:
        return [_row(stay, Level.STAY, [(stay.start, stay.start)], None, _heat(connection, stay))]
    measured = measure(connection, stay, held)
    if not may_tell(measured.came):
        return [_row(stay, Level.STAY, held, None, _heat(connection, stay))]
    return [_told(stay, Level.STAY, measured) | {"heat": _heat(connection, stay)}]


def _heat(connection: Connection, stay: Stay) -> Any:
    """The whole stay's weekdays by the hour; None if too few people came at all."""
    assert stay.end is not None  # noqa: S101 - only a stay that is over is asked for
    measured = measure(connection, stay, [(stay.start, stay.end)])
    return telling.heat(measured, stay.zone) if may_tell(measured.came) else None


def _told(stay: Stay, level: Level, measured: Measured) -> Block:
    return _row(stay, level, measured.spans, telling.figures(measured, stay.zone))


def _row(stay: Stay, level: Level, spans: Sequence[Span], figures: Any, heat: Any = None) -> Block:
    start = stay.start if level is Level.STAY else spans[0][0]
    return {
        "site_id": stay.site.id,
        "placement_id": stay.placement_id,
        "level": level.value,
        "start": start,
        "end": spans[-1][1],
        "weeks": telling.weeks_in(spans),
        "figures": figures,
        "heat": heat,
    }
