"""Bookings as a calendar to subscribe to, under an address that is a secret of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import icalendar
from sqlalchemy import Connection, Row, insert, or_, select, update

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.people.members import member_by_slug
from kokubus_hub.problems import ProblemError, not_found

BACK_MS, AHEAD_MS = 31 * 86_400_000, 400 * 86_400_000
MOST = 5_000
_LINK, _BOOKING = table(models.CalendarLink), table(models.Booking)
_ROOM, _SITE = table(models.Room), table(models.Site)
_HOLDER, _PLACEMENT = table(models.BookingHolder), table(models.Placement)
_BOOKED = (
    select(
        _BOOKING,
        _ROOM.c.name.label("room_name"),
        _SITE.c.name.label("site_name"),
        _SITE.c.id.label("site_id"),
    )
    .join_from(_BOOKING, _ROOM)
    .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    .where(_BOOKING.c.status == "confirmed")
    .order_by(_BOOKING.c.start, _BOOKING.c.id)
    .limit(MOST)
)


def link(
    connection: Connection, now: Instant, *, room: str | None = None, member: str | None = None
) -> str:
    """A new secret for a room's or a member's calendar, shown this once; older ones are over.

    ProblemError 404.
    """
    owner = _owner(connection, room, member)
    revoke(connection, now, room=room, member=member)
    token = secrets.token_urlsafe(24)
    connection.execute(insert(_LINK).values(token_hash=_hash(token), created_at=now, **owner))
    return token


def revoke(
    connection: Connection, now: Instant, *, room: str | None = None, member: str | None = None
) -> None:
    """Let the secret be worth nothing from now on; ProblemError 404."""
    owner = _owner(connection, room, member)
    same = [_LINK.c[name] == value for name, value in owner.items()]
    over = update(_LINK).where(*same, _LINK.c.revoked_at.is_(None))
    connection.execute(over.values(revoked_at=now))


def calendar(connection: Connection, token: str, now: Instant) -> bytes:
    """What the secret leads to, as iCalendar (RFC 5545); ProblemError 404 for one of nobody."""
    wanted = select(_LINK).where(_LINK.c.token_hash == _hash(token), _LINK.c.revoked_at.is_(None))
    found = connection.execute(wanted).one_or_none()
    if found is None:
        raise ProblemError(404, "There is no calendar at this address; ask for a new one.")
    around = (_BOOKING.c.end > now - BACK_MS, _BOOKING.c.start < now + AHEAD_MS)
    if found.room_id is not None:
        rows = connection.execute(_BOOKED.where(_BOOKING.c.room_id == found.room_id, *around)).all()
        return _written(connection, rows, private=False)
    along = select(_HOLDER.c.booking_id).where(_HOLDER.c.member_id == found.member_id)
    mine = or_(_BOOKING.c.member_id == found.member_id, _BOOKING.c.id.in_(along))
    rows = connection.execute(_BOOKED.where(mine, *around)).all()
    return _written(connection, rows, private=True)


def _written(connection: Connection, rows: Iterable[Row[Any]], *, private: bool) -> bytes:
    """``private``: it says where, to the one person whose bookings they are."""
    made = icalendar.Calendar()
    made.add("prodid", "-//KoKubus//hub//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("refresh-interval", timedelta(minutes=15), parameters={"VALUE": "DURATION"})
    addresses = _addresses(connection)
    for row in rows:
        made.add_component(_event(row, addresses if private else {}))
    return bytes(made.to_ical())


def _event(row: Row[Any], addresses: dict[int, list[Row[Any]]]) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", f"booking-{row.id}@kokubus")
    event.add("dtstamp", _time(row.changed_at))
    event.add("last-modified", _time(row.changed_at))
    if row.whole_day:
        day = date.fromisoformat(row.date)
        event.add("dtstart", day)
        event.add("dtend", day + timedelta(days=1))
    else:
        event.add("dtstart", _time(row.start))
        event.add("dtend", _time(row.end))
    place = f"{row.room_name}, {row.site_name}"
    where = next((p.address for p in addresses.get(row.site_id, ()) if _stands(p, row.start)), "")
    event.add("summary", (row.title or place) if addresses else row.title or "gebucht / booked")
    event.add("location", ", ".join(part for part in (place, where) if part))
    event.add("status", "CONFIRMED")
    return event


def _stands(placement: Row[Any], at: Instant) -> bool:
    return bool(placement.start <= at and (placement.end is None or at < placement.end))


def _addresses(connection: Connection) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(select(_PLACEMENT)):
        found.setdefault(row.site_id, []).append(row)
    return found


def _owner(connection: Connection, room: str | None, member: str | None) -> dict[str, int]:
    if member is not None:
        return {"member_id": int(member_by_slug(connection, member).id)}
    found = connection.execute(select(_ROOM.c.id).where(_ROOM.c.slug == room)).scalar()
    if found is None:
        raise not_found("room", room)
    return {"room_id": int(found)}


def _time(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
