"""Replay a room's evidence in order, after some of it came late.

Only what is at most half an hour late is replayed, from a snapshot: what comes later than
that enters the history alone, since a belief forgets faster than it could still be corrected.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from kokubus.messages import Instant
from kokubus.occupancy import Belief, RoomModel, initial
from kokubus_hub import models, places
from kokubus_hub.batch import AHEAD_MS
from kokubus_hub.models import table
from kokubus_hub.occupancy import history
from kokubus_hub.occupancy.evidence import Span, of_room
from kokubus_hub.occupancy.fold import WINDOW_MS, followed
from kokubus_hub.places import Places, RoomPlace

_BELIEF, _SNAPSHOT = table(models.Belief), table(models.BeliefSnapshot)


def dirty_rooms(connection: Connection) -> list[int]:
    """Ids of the rooms whose belief lacks evidence that came late."""
    dirty = select(_BELIEF.c.room_id).where(_BELIEF.c.dirty_since.is_not(None))
    return list(connection.scalars(dirty))


def replay(connection: Connection, room_id: int, now: Instant) -> None:
    """Fold a dirty room's evidence again from its last snapshot before the late one."""
    row = connection.execute(_belief(connection, room_id)).first()
    if row is None or row.dirty_since is None:
        return
    known = places.current(connection, None)
    changes: dict[str, Any] = {"dirty_since": None, "version": row.version + 1}
    if row.dirty_since >= now - WINDOW_MS:
        belief = _again(connection, known, known.rooms[room_id], row.dirty_since, now)
        if belief is not None:
            changes |= {"at": belief.at, "state": belief.to_json()}
    connection.execute(update(_BELIEF).where(_BELIEF.c.room_id == room_id).values(**changes))


def forget_snapshots(connection: Connection, now: Instant) -> None:
    """Drop snapshots that no replay will begin from; each room keeps its last before the window."""
    last = (
        select(func.max(_SNAPSHOT.c.id))
        .where(_SNAPSHOT.c.at < now - WINDOW_MS)
        .group_by(_SNAPSHOT.c.room_id)
    )
    connection.execute(
        delete(_SNAPSHOT).where(_SNAPSHOT.c.at < now - WINDOW_MS, _SNAPSHOT.c.id.not_in(last))
    )


def _again(
    connection: Connection, known: Places, room: RoomPlace, since: Instant, now: Instant
) -> Belief | None:
    """The belief that all evidence makes; snapshots that lacked some of it are dropped."""
    state = _snapshot(connection, room.id, since)
    start = _fitting(state, room.model) if state else None
    if state and start is None:
        return None
    connection.execute(
        delete(_SNAPSHOT).where(_SNAPSHOT.c.room_id == room.id, _SNAPSHOT.c.at >= since)
    )
    after = start.at if start else now - WINDOW_MS - 1
    return _folded(connection, known, room, start, (after, now + AHEAD_MS))


def _belief(connection: Connection, room_id: int) -> Any:
    query = select(_BELIEF.c.dirty_since, _BELIEF.c.version).where(_BELIEF.c.room_id == room_id)
    return query.with_for_update() if connection.dialect.name == "postgresql" else query


def _snapshot(connection: Connection, room_id: int, before: Instant) -> str | None:
    """The last one that cannot lack the late evidence; None if nothing was known before it."""
    return connection.scalar(
        select(_SNAPSHOT.c.state)
        .where(_SNAPSHOT.c.room_id == room_id, _SNAPSHOT.c.at < before)
        .order_by(_SNAPSHOT.c.at.desc())
        .limit(1)
    )


def _fitting(state: str, model: RoomModel) -> Belief | None:
    """The belief in a snapshot; None if it is damaged or of a room of another capacity."""
    try:
        belief = Belief.from_json(state)
    except ValueError:
        return None
    return belief if len(belief.posterior) == model.places + 1 else None


def _folded(
    connection: Connection, known: Places, room: RoomPlace, start: Belief | None, span: Span
) -> Belief | None:
    """``start`` with all evidence of the span in it; without one, the room was new."""
    found = of_room(connection, known, room, span)
    belief = start or (initial(room.model, found[0].at) if found else None)
    if belief is None:
        return None
    since = belief.at
    belief, estimates = followed(known, room, belief, found)
    history.write(connection, room.id, since, belief.at, estimates)
    return belief
