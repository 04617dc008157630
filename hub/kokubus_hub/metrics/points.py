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

_SITE, _ROOM, _DOOR = table(models.Site), table(models.Room), table(models.Door)
_EVENT, _ENFORCEMENT = table(models.AccessEvent), table(models.Enforcement)
_PASSAGE, _DOOR_EVENT = table(models.Passage), table(models.DoorEvent)
_READING, _SENSOR = table(models.Reading), table(models.Sensor)
_ESTIMATE = table(models.Estimate)
_DEVICE = table(models.Device)
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)

Content = tuple[Tags, tuple[Field, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """A table, how its new rows are read, and what each becomes a point of.

    ``alone``: there is one row of a series at an instant, so that its id stays out of the time
    and a row made anew overwrites the older one's point.
    """

    name: str
    measurement: str
    query: Select[Any]
    content: Callable[[Any], Content]
    alone: bool = False

    def line(self, row: Any, standing: Standing) -> str:
        """The row's point. ValueError if there can be none."""
        tags, fields = self.content(row)
        place = (("site", row.site), ("municipality", standing.at(row.site_id, row.at)))
        below = 0 if self.alone else row.id % NANOS
        return line(series(self.measurement, tags + place), fields, row.at * NANOS + below)


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
            facts,
            _ROOM.c.slug.label("room"),
            _ROOM.c.site_id,
            _SITE.c.slug.label("site"),
        )
        .join_from(facts, _ROOM, _ROOM.c.id == facts.c.room_id)
        .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    )
    return _new(facts, query)


def _tap(row: Any) -> Content:
    tags: Tags = (("door", row.door), ("side", row.side))
    if row.granted is not None:
        tags += (("granted", _yes(row.granted)), ("reason", row.reason))
    fields: tuple[Field, ...] = (("count", 1), ("late", int(row.late)))
    if row.decided_at is not None:
        fields += (("answered_ms", row.decided_at - row.at),)
    return tags, fields


def _enforced(row: Any) -> Content:
    tags = (("door", row.door), ("by", row.by), ("granted", _yes(row.granted)))
    fields = (("count", 1), ("policy_age_ms", row.policy_age_ms))
    return (*tags, ("reason", row.reason)), fields


def _passage(row: Any) -> Content:
    return (("door", row.door), ("side", row.side or "unknown")), (("count", 1),)


def _door_event(row: Any) -> Content:
    return (("door", row.door), ("kind", row.kind)), (("count", 1),)


def _reading(row: Any) -> Content:
    tags = (("sensor", row.sensor), ("room", row.room), ("quantity", row.quantity))
    return tags, (("value", float(row.value)),)


def _estimate(row: Any) -> Content:
    return (("room", row.room),), (
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
    Source("estimate", "occupancy", _in_rooms(_ESTIMATE), _estimate, alone=True),
    Source("access_event", "tap", _at_doors(_EVENT), _tap),
    Source("enforcement", "enforced", _at_doors(_ENFORCEMENT), _enforced),
    Source("passage", "passage", _at_doors(_PASSAGE), _passage),
    Source("door_event", "door_event", _at_doors(_DOOR_EVENT), _door_event),
    Source("reading", "reading", _new(_READING, _READINGS), _reading),
)
