"""What is projected to InfluxDB: one measurement a kind of fact.

A point's time is the fact's instant, its row's id in the nanoseconds below it: two members in
the same millisecond stay two points, and a row that is projected again overwrites itself. Tags
are slugs and codes; no name, UID or member is in any of them, and ``municipality`` is where the
site stood at that time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from influxdb_client.client.write.point import Point as _Point
from sqlalchemy import Connection, Select, bindparam, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.counting import Crowd
from kokubus_hub.models import table
from kokubus_hub.places import RoomPlace

BATCH = 5_000
NANOS = 1_000_000

_SITE, _ROOM, _DOOR = table(models.Site), table(models.Room), table(models.Door)
_EVENT, _ENFORCEMENT = table(models.AccessEvent), table(models.Enforcement)
_PASSAGE, _DOOR_EVENT = table(models.Passage), table(models.DoorEvent)
_READING, _SENSOR = table(models.Reading), table(models.Sensor)
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)

Point: TypeAlias = Any
"""Of influxdb-client, whose methods have no types."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table, how its new rows are read, and the point that each becomes."""

    name: str
    query: Select[Any]
    point: Callable[[Any], Point]


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

    def at(self, site: int, at: Instant) -> str:
        """The municipality's slug; ``in-transit`` if the site stood nowhere."""
        rows = self._of.get(site, [])
        place = bisect_right(rows, at, key=lambda row: row.start) - 1
        if place < 0 or (rows[place].end is not None and at >= rows[place].end):
            return "in-transit"
        return str(rows[place].slug)


def stamped(point: Point, row: Any, standing: Standing) -> Point:
    """The point with its place and its own nanosecond."""
    tags = {"site": row.site, "municipality": standing.at(row.site_id, row.at)}
    for name, value in tags.items():
        point.tag(name, value)
    return point.time(row.at * NANOS + row.id % NANOS)


def occupancy(room: RoomPlace, site: str, crowd: Crowd, municipality: str, at: Instant) -> Point:
    """How many people are believed to be in a room at ``at``, with the 90 % interval."""
    estimate = crowd.estimate
    point = _Point("occupancy").tag("site", site).tag("room", room.slug)
    point = point.tag("municipality", municipality).time(at * NANOS)
    fields: Mapping[str, float | int] = {
        "people": estimate.median,
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "presence": estimate.presence,
        "capacity": crowd.capacity,
    }
    for name, value in fields.items():
        point = point.field(name, value)
    return point


def _at_doors(facts: Any) -> Select[Any]:
    return (
        select(facts, _DOOR.c.slug.label("door"), _DOOR.c.site_id, _SITE.c.slug.label("site"))
        .join_from(facts, _DOOR, _DOOR.c.id == facts.c.door_id)
        .join(_SITE, _SITE.c.id == _DOOR.c.site_id)
        .where(facts.c.id > bindparam("after"), facts.c.id <= bindparam("upto"))
        .order_by(facts.c.id)
        .limit(BATCH)
    )


def _tap(row: Any) -> Point:
    point = _Point("tap").tag("door", row.door).tag("side", row.side)
    if row.granted is not None:
        point = point.tag("granted", _yes(row.granted)).tag("reason", row.reason)
    if row.decided_at is not None:
        point = point.field("answered_ms", row.decided_at - row.at)
    return point.field("count", 1).field("late", int(row.late))


def _enforced(row: Any) -> Point:
    point = _Point("enforced").tag("door", row.door).tag("by", row.by)
    point = point.tag("granted", _yes(row.granted)).tag("reason", row.reason)
    return point.field("count", 1).field("policy_age_ms", row.policy_age_ms)


def _passage(row: Any) -> Point:
    point = _Point("passage").tag("door", row.door).tag("side", row.side or "unknown")
    return point.field("count", 1)


def _door_event(row: Any) -> Point:
    return _Point("door_event").tag("door", row.door).tag("kind", row.kind).field("count", 1)


def _reading(row: Any) -> Point:
    point = _Point("reading").tag("sensor", row.sensor).tag("room", row.room)
    return point.tag("quantity", row.quantity).field("value", row.value)


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
    .where(_READING.c.id > bindparam("after"), _READING.c.id <= bindparam("upto"))
    .order_by(_READING.c.id)
    .limit(BATCH)
)
SOURCES = (
    Source("access_event", _at_doors(_EVENT), _tap),
    Source("enforcement", _at_doors(_ENFORCEMENT), _enforced),
    Source("passage", _at_doors(_PASSAGE), _passage),
    Source("door_event", _at_doors(_DOOR_EVENT), _door_event),
    Source("reading", _READINGS, _reading),
)
