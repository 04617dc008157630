"""Somebody has looked and says how many people are in a room."""

from __future__ import annotations

from sqlalchemy import Connection, case, insert, or_, select, update

from kokubus.messages import Instant
from kokubus.occupancy import initial
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.occupancy.fold import WINDOW_MS
from kokubus_hub.places import RoomPlace

_LABEL, _BELIEF = table(models.HeadCount), table(models.Belief)


def count(
    connection: Connection, room: RoomPlace, people: int, operator_id: int, now: Instant
) -> int:
    """Record that ``people`` are in the room now, as an operator says; the row's id.

    The room is marked as lacking evidence, so that the worker's next replay (within a second)
    folds it in, in order with whatever the listener is folding at the same time.
    """
    row = {"room_id": room.id, "at": now, "people": people, "operator_id": operator_id}
    made = insert(_LABEL).values(**row, recorded_at=now).returning(_LABEL.c.id)
    label = int(connection.execute(made).scalar_one())
    of_room = _BELIEF.c.room_id == room.id
    if connection.execute(select(_BELIEF.c.room_id).where(of_room)).first() is None:
        state = initial(room.model, now).to_json()
        connection.execute(insert(_BELIEF).values(room_id=room.id, at=now, state=state))
    known, oldest = _BELIEF.c.dirty_since, now - WINDOW_MS
    other = or_(known.is_(None), known > now, known < oldest)
    since = case((other, now), else_=known)
    connection.execute(
        update(_BELIEF).where(of_room).values(dirty_since=since, version=_BELIEF.c.version + 1)
    )
    return label
