"""``/api/v1/bookings``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection, Row

from kokubus_hub.bookings import delivery, service
from kokubus_hub.bookings.schemas import BookingIn, BookingOut, BookingPage, BookingQuery
from kokubus_hub.context import Hub, HubOf, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.security import Someone

HOUR_MS = 3_600_000
router = APIRouter(prefix="/bookings", tags=["bookings"])


@router.get("", summary="Bookings and whether the doors have them")
def bookings(hub: HubOf, _who: Someone, wanted: Annotated[BookingQuery, Query()]) -> BookingPage:
    """Those that overlap ``after`` to ``before``, in the order they were made."""
    with reading(hub.engine) as connection:
        rows = service.find(connection, wanted.filter)
        items = _out(hub, connection, rows)
    return BookingPage(items=items, next=rows[-1].id if len(rows) == wanted.limit else None)


@router.post("", status_code=201, summary="Book")
def book(new: BookingIn, hub: HubOf, _who: Someone) -> BookingOut:
    """Every door on the way learns of it within a second, or once it is online again."""
    with writing(hub.engine) as connection:
        return _one(hub, connection, service.make(connection, new.wanted, hub.now()))


@router.get("/{booking}", summary="One booking")
def booking(booking: RowId, hub: HubOf, _who: Someone) -> BookingOut:
    """With its delivery to each door on the way."""
    with reading(hub.engine) as connection:
        return _one(hub, connection, service.by_id(connection, booking))


@router.delete("/{booking}", summary="Cancel a booking")
def cancel(booking: RowId, hub: HubOf, _who: Someone) -> BookingOut:
    """It stays in the list as cancelled; its delivery is that of the cancellation."""
    with writing(hub.engine) as connection:
        return _one(hub, connection, service.cancel(connection, booking, hub.now()))


def _one(hub: Hub, connection: Connection, row: Row[Any]) -> BookingOut:
    return _out(hub, connection, [row])[0]


def _out(hub: Hub, connection: Connection, rows: list[Row[Any]]) -> list[BookingOut]:
    doors = delivery.read(connection, hub.settings.policy_horizon_hours * HOUR_MS)
    return [BookingOut.of(row, doors.of(row)) for row in rows]
