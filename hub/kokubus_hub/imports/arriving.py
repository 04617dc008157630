"""Imported bookings come into force: seated, owed to their doors, or said to be in conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.bookings import arrivals, checks, claims, service
from kokubus_hub.bookings.claims import Ask, TakenError
from kokubus_hub.bookings.service import BOOKINGS
from kokubus_hub.calendars import inbox
from kokubus_hub.models import table

_BOOKING, _ROOM = table(models.Booking), table(models.Room)
_HOLDER, _SITE = table(models.BookingHolder), table(models.Site)


def arrive(
    connection: Connection, ids: Sequence[int], what: str, now: Instant, *, fresh: bool = False
) -> None:
    """Bring bookings of one room into force, in the transaction that says they are.

    ``fresh`` ones get the companions their source names. Who finds no seat is ``conflict``, and
    so is who would be on the road with a container.
    """
    changes.queue(connection)
    rows = _rows(connection, ids)
    if not rows:
        return
    change = changes.record(connection, now, what, rows[0].site_id)
    mark = update(_BOOKING).where(_BOOKING.c.id.in_(ids))
    connection.execute(mark.values(change_id=change))
    if fresh:
        _accompany(connection, rows)
    refused = _seat(connection, rows)
    if refused:
        lost = update(_BOOKING).where(_BOOKING.c.id.in_(refused))
        connection.execute(lost.values(status="conflict"))
    _begin_anew(connection, rows)
    _tell(connection, rows, refused, now)
    service.told(connection, _rows(connection, ids), now)


def _rows(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    wanted = BOOKINGS.where(_BOOKING.c.id.in_(ids)).order_by(_BOOKING.c.start, _BOOKING.c.id)
    return connection.execute(wanted).all()


def _accompany(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    holders = [
        {"booking_id": row.id, "member_id": member}
        for row in rows
        for member in (row.said or {}).get("companions", ())
    ]
    if holders:
        connection.execute(insert(_HOLDER), holders)


def _seat(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[int, TakenError]:
    wanted = select(_ROOM).where(_ROOM.c.id == rows[0].room_id)
    room = connection.execute(wanted).one()
    site = connection.execute(select(_SITE).where(_SITE.c.id == room.site_id)).one()
    road = checks.road(connection, site)
    asks = [
        Ask(booking=row.id, room=room, span=(row.start, row.end), desks=row.desks)
        for row in rows
        if row.status == "confirmed"
    ]
    away = {
        ask.booking: TakenError(checks.in_transit(site), ())
        for ask in asks
        if checks.meets(ask.span, road)
    }
    claims.release(connection, list(away))
    return away | claims.claim_each(
        connection, room, [ask for ask in asks if ask.booking not in away]
    )


def _begin_anew(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """To what was moved away from its people's arrival nobody has come yet."""
    wanted = select(_SITE.c.lead_ms, _SITE.c.grace_ms).where(_SITE.c.id == rows[0].site_id)
    site = connection.execute(wanted).one()
    moved = [
        row.id
        for row in rows
        if row.checked_in_at is not None
        and not arrivals.is_to(row.checked_in_at, (row.start, row.end), site)
    ]
    if moved:
        anew = update(_BOOKING).where(_BOOKING.c.id.in_(moved))
        connection.execute(anew.values(checked_in_at=None))


def _tell(
    connection: Connection,
    rows: Sequence[Row[Any]],
    refused: Mapping[int, TakenError],
    now: Instant,
) -> None:
    told = inbox.standing(connection, rows[0].room_id, "conflict")
    for row in rows:
        error = refused.get(row.id)
        if error is None:
            if str(row.id) in told:
                inbox.gone(connection, row.room_id, "conflict", str(row.id), now)
            continue
        detail = {"booking": row.id, "in_the_way": list(error.by), "detail": str(error)}
        inbox.note(connection, row.room_id, "conflict", str(row.id), detail, now)
