"""What is known of the rooms before anybody has come: they are empty."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from kokubus.messages import Instant
from kokubus.occupancy import ClosingReset, initial, update
from kokubus_hub import changes, models, places
from kokubus_hub.models import table

_BELIEF = table(models.Belief)


def begin_empty(connection: Connection, now: Instant) -> None:
    """Have the hub believe what an operator would tell it: that nobody is in.

    Without it a hub that has never seen a room expects the few people there usually are.
    Rooms it knows something about are left as they are.
    """
    known = set(connection.execute(select(_BELIEF.c.room_id)).scalars())
    rooms = places.load(connection, changes.latest(connection)).rooms
    for room in rooms.values():
        if room.id in known:
            continue
        believed = initial(room.model, now)
        empty = update(room.model, believed, ClosingReset(now), open_=True)
        row = {"room_id": room.id, "at": now, "state": empty.to_json()}
        connection.execute(insert(_BELIEF).values(**row))
