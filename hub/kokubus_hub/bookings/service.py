"""Making and cancelling bookings; each change is recorded with the id that doors confirm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, insert, select, update

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub import changes, models, rules
from kokubus_hub.hours import hours_of
from kokubus_hub.models import table
from kokubus_hub.people.members import member_by_slug
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.times import instant

LONGEST_MS = 366 * 86_400_000

_BOOKING, _ROOM, _SITE = table(models.Booking), table(models.Room), table(models.Site)
_MEMBER, _PLACEMENT = table(models.Member), table(models.Placement)
BOOKINGS = (
    select(
        _BOOKING,
        _ROOM.c.slug.label("room"),
        _ROOM.c.name.label("room_name"),
        _ROOM.c.site_id,
        _SITE.c.slug.label("site"),
        _MEMBER.c.slug.label("member"),
        _MEMBER.c.name.label("member_name"),
    )
    .join_from(_BOOKING, _ROOM)
    .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    .join(_MEMBER, _MEMBER.c.id == _BOOKING.c.member_id)
    .where(_BOOKING.c.status.not_like("staged:%"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A booking to make: a time span, or the opening hours of a whole ``day``."""

    room: str
    member: str
    span: tuple[datetime, datetime] | None = None
    day: date | None = None
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which bookings to list: those that overlap ``after`` to ``before``."""

    site: str | None = None
    room: str | None = None
    member: str | None = None
    after: Instant | None = None
    before: Instant | None = None
    next: int = 0
    limit: int = 100


def find(connection: Connection, wanted: Filter) -> list[Row[Any]]:
    """The bookings asked for, by id."""
    conditions = [_BOOKING.c.id > wanted.next]
    for value, column in (
        (wanted.site, _SITE.c.slug),
        (wanted.room, _ROOM.c.slug),
        (wanted.member, _MEMBER.c.slug),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.after is not None:
        conditions.append(_BOOKING.c.end > wanted.after)
    if wanted.before is not None:
        conditions.append(_BOOKING.c.start < wanted.before)
    query = BOOKINGS.where(*conditions).order_by(_BOOKING.c.id).limit(wanted.limit)
    return list(connection.execute(query))


def by_id(connection: Connection, booking: int) -> Row[Any]:
    """One booking; ProblemError 404."""
    row = connection.execute(BOOKINGS.where(_BOOKING.c.id == booking)).one_or_none()
    if row is None:
        raise not_found("booking", booking)
    return row


def make(connection: Connection, wanted: Wanted, now: Instant) -> Row[Any]:
    """Book; ProblemError 404 for an unknown room or member, 422 or 409 if it cannot be."""
    room = connection.execute(select(_ROOM).where(_ROOM.c.slug == wanted.room)).one_or_none()
    if room is None:
        raise not_found("room", wanted.room)
    member = member_by_slug(connection, wanted.member)
    site = connection.execute(select(_SITE).where(_SITE.c.id == room.site_id)).one()
    start, end = _span(wanted, site)
    _check(connection, site, (start, end), now)
    _check_double(connection, room.id, member.id, (start, end))
    change = changes.record(connection, now, f"booking of {wanted.room}", room.site_id)
    made = insert(_BOOKING).values(
        room_id=room.id,
        member_id=member.id,
        start=start,
        end=end,
        whole_day=wanted.day is not None,
        date=wanted.day.isoformat() if wanted.day else None,
        title=wanted.title,
        change_id=change,
        created_at=now,
        changed_at=now,
    )
    row = connection.execute(made.returning(_BOOKING.c.id)).scalar_one()
    return by_id(connection, row)


def cancel(connection: Connection, booking: int, now: Instant) -> Row[Any]:
    """Cancel; cancelling twice changes nothing. ProblemError 404."""
    held = by_id(connection, booking)
    if held.status != "cancelled":
        change = changes.record(connection, now, f"booking {booking} cancelled", held.site_id)
        gone = {"status": "cancelled", "change_id": change, "changed_at": now}
        connection.execute(update(_BOOKING).where(_BOOKING.c.id == booking).values(**gone))
    return by_id(connection, booking)


def _span(wanted: Wanted, site: Row[Any]) -> Window:
    if wanted.day is not None:
        if not hours_of(site.opening, site.timezone, wanted.day):
            raise ProblemError(422, f"{site.name} is closed on {wanted.day}; choose another day.")
        zone = ZoneInfo(site.timezone)
        first = datetime.combine(wanted.day, datetime.min.time(), zone)
        return instant(first), instant(first + timedelta(days=1))
    if wanted.span is None:
        raise ProblemError(422, "A booking needs `start` and `end`, or `date` for a whole day.")
    return instant(wanted.span[0]), instant(wanted.span[1])


def _check(connection: Connection, site: Row[Any], span: Window, now: Instant) -> None:
    start, end = span
    if start >= end:
        raise ProblemError(422, "The booking ends before it begins; swap `start` and `end`.")
    if end <= now:
        raise ProblemError(422, "The booking lies in the past; doors open for the future only.")
    if end - start > LONGEST_MS:
        raise ProblemError(422, "The booking is longer than a year; give a standing right instead.")
    placements = connection.execute(select(_PLACEMENT).where(_PLACEMENT.c.site_id == site.id))
    if any(start < last and first < end for first, last in rules.in_transit(site, placements)):
        raise ProblemError(
            409, f"{site.name} is in transit for part of that time; its placements say when."
        )


def _check_double(connection: Connection, room: int, member: int, span: Window) -> None:
    """One member needs a room once; how many others fit in is the room's own matter."""
    same = select(_BOOKING.c.id).where(
        _BOOKING.c.room_id == room,
        _BOOKING.c.member_id == member,
        _BOOKING.c.status == "confirmed",
        _BOOKING.c.end > span[0],
        _BOOKING.c.start < span[1],
    )
    held = connection.execute(same.limit(1)).scalar()
    if held is not None:
        raise ProblemError(409, f"This member has the room then already, by booking {held}.")
