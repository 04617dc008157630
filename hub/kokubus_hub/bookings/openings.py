"""Event bookings hold their doors open: free passage for their time, and no longer.

Of a whole day that is the opening hours, as for everybody who has booked one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from kokubus.rights import Window
from kokubus_hub import models, rules
from kokubus_hub.bookings import delivery
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError

_DOOR, _MODE = table(models.Door), table(models.DoorMode)
_ROOM, _SITE = table(models.Room), table(models.Site)
_HOURS = select(_ROOM.c.id, _SITE.c.opening, _SITE.c.timezone).join_from(_ROOM, _SITE)


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
    open_ = windows(connection, bookings)
    if not open_:
        return
    ways = delivery.by_room(connection, connection.execute(select(_DOOR)))
    rows = [
        _mode(one.id, door.id, window)
        for one in bookings
        for door in ways.get(one.room_id, ())
        for window in open_.get(one.id, ())
    ]
    if rows:
        connection.execute(insert(_MODE), rows)


def windows(
    connection: Connection, bookings: Iterable[Row[Any]]
) -> Mapping[int, tuple[Window, ...]]:
    """When the doors of those that are events in force stand open, by booking."""
    events = [one for one in bookings if one.kind == "event" and one.status == "confirmed"]
    if not events:
        return {}
    wanted = _HOURS.where(_ROOM.c.id.in_({one.room_id for one in events}))
    sites = {row.id: row for row in connection.execute(wanted)}
    return {one.id: rules.windows_of(one, sites[one.room_id]) for one in events}


def held(connection: Connection) -> Mapping[int, set[Window]]:
    """When doors are told to stand open for events, by booking."""
    found: dict[int, set[Window]] = {}
    told = select(_MODE.c.booking_id, _MODE.c.start, _MODE.c.end)
    for row in connection.execute(told.where(_MODE.c.booking_id.is_not(None))):
        found.setdefault(row.booking_id, set()).add((row.start, row.end))
    return found


def _mode(booking: int, door: int, window: Window) -> dict[str, Any]:
    return {
        "door_id": door,
        "kind": "free_passage",
        "start": window[0],
        "end": window[1],
        "reason": f"event, booking {booking}",
        "booking_id": booking,
    }
