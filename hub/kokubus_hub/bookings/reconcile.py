"""Keeps what bookings need true: deliveries settled, and what was lost on the way made again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, or_, select, update

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.bookings import claims, delivery, openings, service
from kokubus_hub.bookings.claims import Ask, TakenError
from kokubus_hub.calendars import inbox
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table

A_TURN = 8
"""Bookings repaired by one transaction: a tap that waits for it is still answered in time."""
A_STEP = 25 * A_TURN
"""The most repaired at once: meanwhile no other change reaches a door, and nobody can stop it."""
PAUSE_S = 0.02
"""Between two of them, so that whoever waits for the database gets it."""
_BOOKING, _ROOM, _CLAIM = table(models.Booking), table(models.Room), table(models.Claim)
_KEPT, _SETTING = table(models.BookingDelivery), table(models.Setting)
_IMPORTING = select(_SETTING.c.value).where(_SETTING.c.key == "import")
log = structlog.get_logger()


def settle(engine: Engine, now: Instant, horizon_ms: int) -> None:
    """Keep what doors have reported of bookings since."""
    with reading(engine) as connection:
        found = delivery.settle(connection, now, horizon_ms)
    if found:
        with writing(engine) as connection:
            delivery.write(connection, found)


@dataclass(frozen=True, slots=True)
class _Lack:
    """A booking and what it lacks."""

    row: Row[Any]
    change: bool
    owed: bool
    seat: bool


def repair(engine: Engine, now: Instant, horizon_ms: int) -> int:
    """Give bookings ahead what they lack, whoever lost it; how many there were.

    A change that doors can confirm, a delivery for each door on the way, their seats, and the
    free passage of events. The first `A_STEP` of them are repaired, and the others next time.
    """
    with reading(engine) as connection:
        lacking = _lacking(connection, now, horizon_ms)
    for first in range(0, min(len(lacking), A_STEP), A_TURN):
        with writing(engine) as connection:
            for one in lacking[first : first + A_TURN]:
                _give(connection, one, now)
        time.sleep(PAUSE_S)
    return len(lacking)


def _lacking(connection: Connection, now: Instant, horizon_ms: int) -> list[_Lack]:
    latest = changes.latest(connection)
    importing = connection.execute(_IMPORTING).first() is not None
    ahead = or_(
        (_BOOKING.c.status == "confirmed") & (_BOOKING.c.start < now + horizon_ms),
        _BOOKING.c.change_id > latest,
    )
    wanted = select(_BOOKING).where(
        _BOOKING.c.end > now, ahead, _BOOKING.c.status.not_like("staged:%")
    )
    rows = connection.execute(wanted.order_by(_BOOKING.c.id)).all()
    ids = select(_BOOKING.c.id).where(_BOOKING.c.end > now).scalar_subquery()
    kept = select(_KEPT.c.booking_id, _KEPT.c.door_id).where(_KEPT.c.booking_id.in_(ids))
    owed = {tuple(row) for row in connection.execute(kept)}
    taken = select(_CLAIM.c.booking_id).where(_CLAIM.c.end > now).distinct()
    seated = set(connection.execute(taken).scalars())
    open_, due = openings.held(connection), openings.windows(connection, rows)
    ways = delivery.by_room(connection, connection.execute(select(table(models.Door))))
    found = []
    for row in rows:
        doors = ways.get(row.room_id, ())
        unowed = any((row.id, door.id) not in owed for door in doors)
        shut = bool(doors) and set(due.get(row.id, ())) != open_.get(row.id, set())
        one = _Lack(
            row,
            change=(row.change_id is None or row.change_id > latest) and not importing,
            owed=(unowed or shut) and row.status == "confirmed",
            seat=row.id not in seated and row.status == "confirmed" and not importing,
        )
        if one.change or one.owed or one.seat:
            found.append(one)
    return found


def _give(connection: Connection, lack: _Lack, now: Instant) -> None:
    row = service.by_id(connection, lack.row.id)
    if row.status != lack.row.status or row.change_id != lack.row.change_id:
        return  # somebody changed it meanwhile, and gave it what it needs
    if lack.seat:
        _seat(connection, row, now)
    if lack.change or lack.owed:
        record = changes.record(connection, now, f"booking {row.id} repaired", row.site_id)
        mark = update(_BOOKING).where(_BOOKING.c.id == row.id)
        connection.execute(mark.values(change_id=record))
        again: Sequence[Row[Any]] = [service.by_id(connection, row.id)]
        openings.hold_open(connection, again)
        delivery.owe(connection, again, now)
        log.info("booking_repaired", booking=row.id)


def _seat(connection: Connection, row: Row[Any], now: Instant) -> None:
    room = connection.execute(select(_ROOM).where(_ROOM.c.id == row.room_id)).one()
    whole = room.desks is None or row.kind == "event"
    desks = None if whole else row.desks or 1  # bookings older than desks had one each
    ask = Ask(booking=row.id, room=room, span=(row.start, row.end), desks=desks)
    try:
        claims.claim(connection, ask)
    except TakenError as error:
        detail = {"booking": row.id, "in_the_way": list(error.by), "detail": str(error)}
        inbox.note(connection, row.room_id, "conflict", str(row.id), detail, now)
