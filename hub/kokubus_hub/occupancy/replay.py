"""Replay a room's evidence in order, after some of it came late.

Only the last half hour is replayed, from a snapshot: what came later than that enters the
history alone, since a belief forgets faster than it could still be corrected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from kokubus.messages import Instant, Side
from kokubus.occupancy import Belief, Co2, Evidence, Passage, Pir, Sensor, wants
from kokubus.occupancy import update as updated
from kokubus_hub import models, places
from kokubus_hub.models import table
from kokubus_hub.places import Places, RoomPlace

WINDOW_MS = 30 * 60_000

_BELIEF, _SNAPSHOT = table(models.Belief), table(models.BeliefSnapshot)
_PASSAGE, _READING, _SENSOR = table(models.Passage), table(models.Reading), table(models.Sensor)


def dirty_rooms(connection: Connection) -> list[int]:
    """Ids of the rooms whose belief lacks evidence that came late."""
    return list(connection.scalars(select(_BELIEF.c.room_id).where(_BELIEF.c.dirty_since > 0)))


def replay(connection: Connection, room_id: int, now: Instant) -> None:
    """Fold a dirty room's evidence again from its last snapshot before the late one."""
    row = connection.execute(_belief(connection, room_id)).first()
    if row is None or row.dirty_since is None:
        return
    known = places.current(connection, None)
    start = _snapshot(connection, room_id, row.dirty_since, now)
    belief = _folded(connection, known, known.rooms[room_id], start) if start else None
    changes: dict[str, Any] = {"dirty_since": None, "version": row.version + 1}
    if belief is not None:
        changes |= {"at": belief.at, "state": belief.to_json()}
    connection.execute(update(_BELIEF).where(_BELIEF.c.room_id == room_id).values(**changes))


def forget_snapshots(connection: Connection, now: Instant) -> None:
    """Drop snapshots that no replay will begin from; twice the window is kept."""
    connection.execute(delete(_SNAPSHOT).where(_SNAPSHOT.c.at < now - 2 * WINDOW_MS))


def _belief(connection: Connection, room_id: int) -> Any:
    query = select(_BELIEF.c.dirty_since, _BELIEF.c.version).where(_BELIEF.c.room_id == room_id)
    return query.with_for_update() if connection.dialect.name == "postgresql" else query


def _snapshot(connection: Connection, room_id: int, before: Instant, now: Instant) -> Belief | None:
    found = connection.execute(
        select(_SNAPSHOT.c.state)
        .where(_SNAPSHOT.c.room_id == room_id, _SNAPSHOT.c.at <= before)
        .where(_SNAPSHOT.c.at >= now - WINDOW_MS)
        .order_by(_SNAPSHOT.c.at.desc())
    ).first()
    return Belief.from_json(found.state) if found else None


def _folded(connection: Connection, known: Places, room: RoomPlace, belief: Belief) -> Belief:
    site = known.sites[room.site_id]
    for evidence in sorted(_evidence(connection, known, room, belief.at), key=lambda e: e.at):
        if wants(belief, evidence):
            open_ = places.is_open(site, evidence.at)
            belief = updated(room.model, belief, evidence, open_=open_)
    return belief


def _evidence(
    connection: Connection, known: Places, room: RoomPlace, after: Instant
) -> Iterator[Evidence]:
    doors = [d.id for d in known.doors.values() if room.id in (d.room_id, d.from_room_id)]
    passages = select(_PASSAGE).where(_PASSAGE.c.door_id.in_(doors), _PASSAGE.c.at > after)
    for row in connection.execute(passages):
        if (passage := _passage(known, room, row)) is not None:
            yield passage
    readings = (
        select(_SENSOR.c.quantity, _READING.c.at, _READING.c.value)
        .join_from(_READING, _SENSOR)
        .where(_SENSOR.c.room_id == room.id, _READING.c.at > after)
        .where(_SENSOR.c.quantity.in_(("co2", "pir")))
    )
    for quantity, at, value in connection.execute(readings):
        yield Co2(at, value) if quantity == "co2" else Pir(at, fired=value > 0)


def _passage(known: Places, room: RoomPlace, row: Row[Any]) -> Passage | None:
    """The passage as the listener folded it; one whose tap is not known was not."""
    if row.tap is not None and row.side is None:
        return None
    door = known.doors[known.door_slugs[row.door_id]]
    sensor = Sensor.CONTACT if row.tap is None else Sensor.BADGE
    side = Side(row.side) if row.side else None
    return next(Passage(row.at, sensor, way) for place, way in door.ways(side) if place == room.id)
