"""Seats: a room booked as a whole has one, a desk pool one a desk; each is had once at a time.

Seats are looked for first, so that whoever comes too late is told what is in the way; the
database has the last word (`models.Claim`). Whoever changes bookings has recorded a change
before, which makes them queue up: nobody's look is out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from kokubus.errors import KokubusError
from kokubus.rights import Window
from kokubus_hub import models
from kokubus_hub.models import table

_CLAIM, _ROOM = table(models.Claim), table(models.Room)
_OVERLAPPING = select(_CLAIM.c.seat, _CLAIM.c.booking_id).where(
    _CLAIM.c.room_id == bindparam("room"),
    _CLAIM.c.end > bindparam("after"),
    _CLAIM.c.start < bindparam("before"),
)
_HELD = select(_CLAIM.c.seat).where(_CLAIM.c.booking_id == bindparam("booking"))


class TakenError(KokubusError):
    """Not enough seats are free; ``by`` are the bookings that have them."""

    def __init__(self, text: str, by: Iterable[int]) -> None:
        super().__init__(text)
        self.by = tuple(sorted(set(by)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Seats for a booking: ``desks`` of a pool, or the whole room (None)."""

    booking: int
    room: Row[Any]
    span: Window
    desks: int | None


def seats_of(room: Row[Any]) -> int:
    """How many seats a room has."""
    return int(room.desks or 1)


def desks_of(room: Row[Any], desks: int, *, whole: bool) -> int | None:
    """What a booking of so many desks is in this room: None where it has the room as a whole."""
    return None if whole or room.desks is None else desks


def free_seats(connection: Connection, ask: Ask) -> list[int]:
    """The seats that can be had, those it has already first; TakenError if they do not suffice."""
    count = seats_of(ask.room)
    needed = count if ask.desks is None else ask.desks
    start, end = ask.span
    span = {"room": ask.room.id, "after": start, "before": end}
    rows = [r for r in connection.execute(_OVERLAPPING, span) if r.booking_id != ask.booking]
    taken = {row.seat for row in rows}
    free = [seat for seat in range(1, count + 1) if seat not in taken]
    if len(free) < needed:
        raise TakenError(_taken(ask, len(free)), (row.booking_id for row in rows))
    held = set(connection.execute(_HELD, {"booking": ask.booking}).scalars())
    return sorted(free, key=lambda seat: (seat not in held, seat))[:needed]


def claim(connection: Connection, ask: Ask) -> None:
    """Take the seats in the place of those the booking has; TakenError, and nothing is changed."""
    seats = free_seats(connection, ask)
    start, end = ask.span
    rows = [
        {"booking_id": ask.booking, "room_id": ask.room.id, "seat": seat, "start": start}
        | {"end": end}
        for seat in seats
    ]
    try:
        with connection.begin_nested():
            release(connection, [ask.booking])
            connection.execute(insert(_CLAIM), rows)
    except IntegrityError as error:
        raise TakenError(_taken(ask, 0), ()) from error


def release(connection: Connection, bookings: Sequence[int]) -> None:
    """Leave the seats of these bookings to others."""
    for first in range(0, len(bookings), 5_000):
        some = _CLAIM.c.booking_id.in_(bookings[first : first + 5_000])
        connection.execute(delete(_CLAIM).where(some))


def _taken(ask: Ask, free: int) -> str:
    if ask.room.desks is None:
        return f"{ask.room.name} is taken then."
    if ask.desks is None:
        return f"{ask.room.name} is taken in part then; as a whole it is not free."
    return f"{ask.room.name} has {free} free desks then, {ask.desks} are wanted."
