"""Event bookings hold their doors open: free passage from their start to their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from kokubus_hub import models
from kokubus_hub.bookings import delivery
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError

_DOOR, _MODE = table(models.Door), table(models.DoorMode)


def doors_to(connection: Connection, room: int) -> list[Row[Any]]:
    """The doors on the way to a room."""
    doors = connection.execute(select(_DOOR))
    return delivery.by_room(connection, doors).get(room, [])


def unfit(connection: Connection, room: int) -> list[str]:
    """The doors on the way whose bolt must not be held back, by name."""
    return [door.name for door in doors_to(connection, room) if not door.free_passage]


def check_held_open(connection: Connection, room: Row[Any]) -> None:
    """ProblemError 422 if a door on the way to an event may not be held open."""
    if names := unfit(connection, room.id):
        raise ProblemError(
            422,
            f"{', '.join(names)}: the door must not stand open (`free_passage` in the site's "
            f"file, where its lock is made for it); book {room.name} plainly and open by hand.",
        )


def hold_open(connection: Connection, bookings: Sequence[Row[Any]]) -> None:
    """Make the doors' modes those of these bookings; to be called whenever they changed."""
    ids = [booking.id for booking in bookings]
    for first in range(0, len(ids), 5_000):
        gone = delete(_MODE).where(_MODE.c.booking_id.in_(ids[first : first + 5_000]))
        connection.execute(gone)
    events = [one for one in bookings if one.kind == "event" and one.status == "confirmed"]
    if not events:
        return
    ways = delivery.by_room(connection, connection.execute(select(_DOOR)))
    rows = [_mode(one, door) for one in events for door in ways.get(one.room_id, ())]
    if rows:
        connection.execute(insert(_MODE), rows)


def _mode(booking: Row[Any], door: Row[Any]) -> dict[str, Any]:
    return {
        "door_id": door.id,
        "kind": "free_passage",
        "start": booking.start,
        "end": booking.end,
        "reason": f"event, booking {booking.id}",
        "booking_id": booking.id,
    }
