"""Seats: a room booked as a whole has one, a desk pool one a desk; each is had once at a time.

Seats are looked for first, so that whoever comes too late is told what is in the way; the
database has the last word (`models.Claim`). Whoever changes bookings has recorded a change
before, which makes them queue up: nobody's look is out of date.
"""

from __future__ import annotations

from bisect import bisect_left, insort
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
_INTERVALS = select(_CLAIM).where(
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

    @property
    def said(self) -> str:
        """The sentence, with the first of the bookings in the way."""
        shown = ", ".join(str(one) for one in self.by[:5])
        return f"{self} In the way: booking {shown}." if shown else str(self)


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


def claim_each(
    connection: Connection, room: Row[Any], asks: Sequence[Ask]
) -> dict[int, TakenError]:
    """`claim` for many bookings of one room, in order; what could not be had, by booking."""
    release(connection, [ask.booking for ask in asks])
    if not asks:
        return {}
    span = {
        "room": room.id,
        "after": min(ask.span[0] for ask in asks),
        "before": max(ask.span[1] for ask in asks),
    }
    plan = _Seats(room, connection.execute(_INTERVALS, span))
    rows: list[dict[str, int]] = []
    refused: dict[int, TakenError] = {}
    for ask in asks:
        try:
            rows += plan.take(ask)
        except TakenError as error:
            refused[ask.booking] = error
    if rows:
        connection.execute(insert(_CLAIM), rows)
    return refused


class _Seats:
    """A room's seats over a span of time, while many bookings are being seated."""

    def __init__(self, room: Row[Any], held: Iterable[Row[Any]]) -> None:
        self._count = seats_of(room)
        self._held: list[list[tuple[int, int, int]]] = [[] for _ in range(self._count + 1)]
        for row in held:
            if row.seat <= self._count:
                insort(self._held[row.seat], (row.start, row.end, row.booking_id))

    def take(self, ask: Ask) -> list[dict[str, int]]:
        """The claims' rows; TakenError, and nothing is taken."""
        needed = self._count if ask.desks is None else ask.desks
        free: list[int] = []
        in_the_way: list[int] = []
        for seat in range(1, self._count + 1):
            by = self._blocking(seat, ask.span)
            (free if by is None else in_the_way).append(seat if by is None else by)
            if len(free) == needed:
                break
        else:
            raise TakenError(_taken(ask, len(free)), in_the_way)
        start, end = ask.span
        for seat in free:
            insort(self._held[seat], (start, end, ask.booking))
        said = {"booking_id": ask.booking, "room_id": ask.room.id, "start": start, "end": end}
        return [said | {"seat": seat} for seat in free]

    def _blocking(self, seat: int, span: Window) -> int | None:
        """The booking that has the seat at that time; a seat's claims never overlap."""
        held = self._held[seat]
        place = bisect_left(held, (span[1],))
        before = held[place - 1] if place else None
        return before[2] if before is not None and before[1] > span[0] else None


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
