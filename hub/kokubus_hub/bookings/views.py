"""``/api/v1/bookings``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection, Row

from kokubus_hub import changes
from kokubus_hub.bookings import delivery, listing, pushing, series, service
from kokubus_hub.bookings.schemas import (
    BookingChange,
    BookingIn,
    BookingOut,
    BookingPage,
    BookingQuery,
    PassOut,
    PushedIn,
)
from kokubus_hub.bookings.series import Repeat
from kokubus_hub.bookings.wanted import Source
from kokubus_hub.context import Hub, HubOf, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.people import passes
from kokubus_hub.security import Someone

HOUR_MS = 3_600_000
router = APIRouter(prefix="/bookings", tags=["bookings"])
SourceName = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]
Uid = Annotated[str, Path(min_length=1, max_length=255)]


@router.get("", summary="Bookings and whether the doors have them")
def bookings(hub: HubOf, _who: Someone, wanted: Annotated[BookingQuery, Query()]) -> BookingPage:
    """In the order they were made; of a span of time, in the order they begin."""
    with reading(hub.engine) as connection:
        rows = listing.find(connection, wanted.filter)
        items = out(hub, connection, rows)
    return BookingPage(items=items, next=wanted.filter.mark(rows))


@router.post("", status_code=201, summary="Book")
def book(new: BookingIn, hub: HubOf, who: Someone) -> BookingOut:
    """Every door on the way learns of it within a second, or once it is online again.

    With ``repeat`` all occurrences are booked or none; the first is returned, and the others
    have the same ``uid``.
    """
    with writing(hub.engine, who.operator_id) as connection:
        if new.repeat is None:
            return one(hub, connection, service.make(connection, new.wanted, hub.now()))
        repeat = Repeat(new.repeat.rrule, new.repeat.rdate, new.repeat.exdate)
        made = series.make(connection, new.wanted, repeat, hub.now())
        return one(hub, connection, made[0])


@router.delete("/series/{uid}", summary="Cancel what is left of a series")
def cancel_series(uid: Uid, hub: HubOf, who: Someone) -> list[BookingOut]:
    """The occurrences that were ahead, now cancelled."""
    with writing(hub.engine, who.operator_id) as connection:
        return out(hub, connection, series.cancel(connection, uid, hub.now()))


@router.put("/by-uid/{source}/{uid:path}", summary="Book, or change, by a platform's own name")
def push(source: SourceName, uid: Uid, said: PushedIn, hub: HubOf, who: Someone) -> BookingOut:
    """The same again changes nothing. Who is unknown becomes a guest at once."""
    named = Source(name=f"push:{source}", uid=uid)
    with writing(hub.engine, who.operator_id) as connection:
        row = pushing.push(connection, named, said.wanted, hub.now(), cancelled=said.cancelled)
        return one(hub, connection, row)


@router.delete("/by-uid/{source}/{uid:path}", summary="Cancel by a platform's own name")
def take_back(source: SourceName, uid: Uid, hub: HubOf, who: Someone) -> BookingOut:
    """Cancelling twice changes nothing."""
    named = Source(name=f"push:{source}", uid=uid)
    with writing(hub.engine, who.operator_id) as connection:
        return one(hub, connection, pushing.take_back(connection, named, hub.now()))


@router.get("/{booking}", summary="One booking")
def booking(booking: RowId, hub: HubOf, who: Someone) -> BookingOut:
    """With its delivery to each door on the way."""
    with writing(hub.engine, who.operator_id) as connection:  # a guest who has no pass yet gets one
        return one(hub, connection, service.by_id(connection, booking))


@router.patch("/{booking}", summary="Move, extend, shorten or fill a booking")
def change(booking: RowId, change: BookingChange, hub: HubOf, who: Someone) -> BookingOut:
    """Also while somebody is inside. What is not named stays; the old time is closed."""
    with writing(hub.engine, who.operator_id) as connection:
        changes.queue(connection)
        held = service.wanted_of(connection, service.by_id(connection, booking))
        changed = service.change(connection, booking, change.wanted(held), hub.now())
        return one(hub, connection, changed)


@router.delete("/{booking}", summary="Cancel a booking")
def cancel(booking: RowId, hub: HubOf, who: Someone) -> BookingOut:
    """It stays in the list as cancelled; its delivery is that of the cancellation."""
    with writing(hub.engine, who.operator_id) as connection:
        return one(hub, connection, service.cancel(connection, booking, hub.now()))


def one(hub: Hub, connection: Connection, row: Row[Any]) -> BookingOut:
    """A booking as the API shows it, with what its guests are to be sent."""
    doors = _doors(hub, connection, [row.id])
    companions = service.companions_of(connection, [row.id]).get(row.id, ())
    passes.provide(connection, hub.keyring, hub.now(), [row.id])
    given = passes.of_bookings(connection, hub.keyring, [row.id]).get(row.id, ())
    access = [
        PassOut(
            member=one.member,
            pin=one.pin,
            link=f"{hub.settings.address}/pass/{one.token}",
            active=row.status == "confirmed" and doors.know(row, one.change),
        )
        for one in given
    ]
    return BookingOut.of(row, doors.of(row), companions, access)


def out(hub: Hub, connection: Connection, rows: Sequence[Row[Any]]) -> list[BookingOut]:
    """Bookings as the API lists them."""
    ids = [row.id for row in rows]
    doors, companions = _doors(hub, connection, ids), service.companions_of(connection, ids)
    return [BookingOut.of(row, doors.of(row), companions.get(row.id, ())) for row in rows]


def _doors(hub: Hub, connection: Connection, bookings: Sequence[int]) -> delivery.Doors:
    horizon_ms = hub.settings.policy_horizon_hours * HOUR_MS
    return delivery.read(connection, horizon_ms, hub.now(), bookings)
