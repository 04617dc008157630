"""What is projected to InfluxDB: one measurement a kind of fact.

A point's time is the fact's instant, its row's id in the nanoseconds below it: two members in
the same millisecond stay two points, and a row that is projected again overwrites itself. Tags
are slugs and codes; no name, UID or member is in any of them, and ``municipality`` is where the
site stood at that time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.counting import Crowd
from kokubus_hub.metrics.lines import NANOS, Field, Tags, line, series
from kokubus_hub.models import table
from kokubus_hub.places import RoomPlace

BATCH = 5_000
FAR: Instant = 2**62

_SITE, _ROOM, _DOOR = table(models.Site), table(models.Room), table(models.Door)
_EVENT, _ENFORCEMENT = table(models.AccessEvent), table(models.Enforcement)
_PASSAGE, _DOOR_EVENT = table(models.Passage), table(models.DoorEvent)
_READING, _SENSOR = table(models.Reading), table(models.Sensor)
_ESTIMATE = table(models.Estimate)
_DEVICE = table(models.Device)
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)

Memo = dict[tuple[int, str], str]


@dataclass(frozen=True, slots=True)
class Source:
    """A table, how its new rows are read, and the tags and fields that each becomes.

    ``same`` is the column that alone decides the tags, where there is one: most rows are
    readings, and their series are built once a batch. ``alone``: there is one row of a series
    at an instant, so that its id stays out of the time and a row made anew overwrites the older
    one's point.
    """

    name: str
    measurement: str
    query: Select[Any]
    tags: Callable[[Any], Tags]
    fields: Callable[[Any], tuple[Field, ...]]
    same: str = "id"
    alone: bool = False

    def line(self, row: Any, standing: Standing, memo: Memo) -> str:
        """The row's point; ``memo`` is of this batch. ValueError if there can be none."""
        at = row.at
        place = standing.at(row.site_id, at)
        key = (getattr(row, self.same), place)
        named = memo.get(key)
        if named is None:
            tags = (*self.tags(row), ("site", row.site), ("municipality", place))
            named = memo[key] = series(self.measurement, tags)
        below = 0 if self.alone else row.id % NANOS
        return line(named, self.fields(row), at * NANOS + below)


class Standing:
    """Which municipality each site stands in, by time."""

    def __init__(self, connection: Connection) -> None:
        query = (
            select(_PLACEMENT, _MUNICIPALITY.c.slug)
            .join_from(_PLACEMENT, _MUNICIPALITY)
            .order_by(_PLACEMENT.c.start)
        )
        self._of: dict[int, list[Any]] = {}
        for row in connection.execute(query):
            self._of.setdefault(row.site_id, []).append(row)
        self._last: dict[int, tuple[Instant, Instant, str]] = {}

    def at(self, site: int, at: Instant) -> str:
        """The municipality's slug; ``in-transit`` if the site stood nowhere."""
        last = self._last.get(site)
        if last is None or not last[0] <= at < last[1]:
            last = self._last[site] = self._around(self._of.get(site, []), at)
        return last[2]

    def _around(self, rows: list[Any], at: Instant) -> tuple[Instant, Instant, str]:
        """From when until when the site stood where it stood at an instant."""
        place = bisect_right(rows, at, key=lambda row: row.start) - 1
        after = rows[place + 1].start if place + 1 < len(rows) else FAR
        if place < 0:
            return -FAR, after, "in-transit"
        row = rows[place]
        if row.end is not None and at >= row.end:
            return row.end, after, "in-transit"
        return row.start, min(after, FAR if row.end is None else row.end), str(row.slug)


def sampled(room: RoomPlace, site: str, crowd: Crowd, municipality: str, at: Instant) -> str:
    """What is believed of a room this minute; estimates say it exactly, every five."""
    estimate = crowd.estimate
    tags = (("room", room.slug), ("site", site), ("municipality", municipality))
    fields: tuple[Field, ...] = (
        ("people", estimate.median),
        ("mean", float(estimate.mean)),
        ("low", estimate.low),
        ("high", estimate.high),
        ("presence", float(estimate.presence)),
        ("capacity", crowd.capacity),
    )
    return line(series("occupancy_now", tags), fields, at * NANOS)


def devices(connection: Connection, standing: Standing, at: Instant) -> list[str]:
    """Whether each device that was ever heard of is online, and for how many seconds it is so."""
    query = (
        select(_DEVICE, _SITE.c.slug.label("site"))
        .join_from(_DEVICE, _SITE)
        .where(_DEVICE.c.online.is_not(None), _DEVICE.c.revoked_at.is_(None))
    )
    return [_device(row, standing.at(row.site_id, at), at) for row in connection.execute(query)]


def _device(row: Any, municipality: str, at: Instant) -> str:
    tags = (("device", row.slug), ("site", row.site), ("municipality", municipality))
    since = max(0, at - (at if row.status_at is None else row.status_at)) // 1000
    fields = (("online", int(row.online)), ("since_s", since))
    return line(series("device_now", tags), fields, at * NANOS)


def _new(facts: Any, query: Select[Any]) -> Select[Any]:
    return (
        query.where(facts.c.id > bindparam("after"), facts.c.id <= bindparam("upto"))
        .order_by(facts.c.id)
        .limit(bindparam("most"))
    )


def _at_doors(facts: Any) -> Select[Any]:
    query = (
        select(facts, _DOOR.c.slug.label("door"), _DOOR.c.site_id, _SITE.c.slug.label("site"))
        .join_from(facts, _DOOR, _DOOR.c.id == facts.c.door_id)
        .join(_SITE, _SITE.c.id == _DOOR.c.site_id)
    )
    return _new(facts, query)


def _in_rooms(facts: Any) -> Select[Any]:
    query = (
        select(
            *(column for column in facts.c if column.name != "weights"),
            _ROOM.c.slug.label("room"),
            _ROOM.c.site_id,
            _SITE.c.slug.label("site"),
        )
        .join_from(facts, _ROOM, _ROOM.c.id == facts.c.room_id)
        .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    )
    return _new(facts, query)


def _tap(row: Any) -> Tags:
    tags: Tags = (("door", row.door), ("side", row.side))
    if row.granted is None:
        return tags
    return (*tags, ("granted", _yes(row.granted)), ("reason", row.reason))


def _tapped(row: Any) -> tuple[Field, ...]:
    fields: tuple[Field, ...] = (("count", 1), ("late", int(row.late)))
    if row.decided_at is None:
        return fields
    return (*fields, ("answered_ms", row.decided_at - row.at))


def _enforced(row: Any) -> Tags:
    granted = ("granted", _yes(row.granted))
    return ("door", row.door), ("by", row.by), granted, ("reason", row.reason)


def _once(_row: Any) -> tuple[Field, ...]:
    return (("count", 1),)


def _believed(row: Any) -> tuple[Field, ...]:
    return (
        ("people", row.median),
        ("mean", float(row.mean)),
        ("variance", float(row.variance)),
        ("low", row.low),
        ("high", row.high),
        ("presence", float(row.presence)),
        ("capacity", row.capacity),
    )


def _yes(value: object) -> str:
    return "true" if value else "false"


_READINGS = (
    select(
        _READING,
        _SENSOR.c.slug.label("sensor"),
        _SENSOR.c.quantity,
        _SENSOR.c.site_id,
        _ROOM.c.slug.label("room"),
        _SITE.c.slug.label("site"),
    )
    .join_from(_READING, _SENSOR)
    .join(_ROOM, _ROOM.c.id == _SENSOR.c.room_id)
    .join(_SITE, _SITE.c.id == _SENSOR.c.site_id)
)
SOURCES = (
    Source(
        "estimate",
        "occupancy",
        _in_rooms(_ESTIMATE),
        lambda row: (("room", row.room),),
        _believed,
        same="room_id",
        alone=True,
    ),
    Source("access_event", "tap", _at_doors(_EVENT), _tap, _tapped),
    Source(
        "enforcement",
        "enforced",
        _at_doors(_ENFORCEMENT),
        _enforced,
        lambda row: (("count", 1), ("policy_age_ms", row.policy_age_ms)),
    ),
    Source(
        "passage",
        "passage",
        _at_doors(_PASSAGE),
        lambda row: (("door", row.door), ("side", row.side or "unknown")),
        _once,
    ),
    Source(
        "door_event",
        "door_event",
        _at_doors(_DOOR_EVENT),
        lambda row: (("door", row.door), ("kind", row.kind)),
        _once,
    ),
    Source(
        "reading",
        "reading",
        _new(_READING, _READINGS),
        lambda row: (("sensor", row.sensor), ("room", row.room), ("quantity", row.quantity)),
        lambda row: (("value", float(row.value)),),
        same="sensor_id",
    ),
)
