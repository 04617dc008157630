"""Bookings: made, changed and cancelled.

Each change is recorded with the id that doors confirm, seats are claimed in its transaction,
and every door on the way is owed it from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub import changes, models
from kokubus_hub.bookings import arrivals, checks, claims, delivery, openings
from kokubus_hub.bookings.claims import Ask, TakenError
from kokubus_hub.bookings.wanted import Source, Wanted
from kokubus_hub.bulk import among, listed
from kokubus_hub.models import table
from kokubus_hub.people import guests
from kokubus_hub.people.guests import Person
from kokubus_hub.people.members import member_by_slug
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.times import instant

_BOOKING, _ROOM, _SITE = table(models.Booking), table(models.Room), table(models.Site)
_MEMBER, _HOLDER = table(models.Member), table(models.BookingHolder)
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)
_STANDS = (
    _PLACEMENT.c.site_id == _ROOM.c.site_id,
    _PLACEMENT.c.start <= _BOOKING.c.start,
    or_(_PLACEMENT.c.end.is_(None), _PLACEMENT.c.end > _BOOKING.c.start),
)
_WHERE = select(_PLACEMENT.c.address).where(*_STANDS).limit(1)
_WHOSE = select(_MUNICIPALITY.c.slug).join_from(_PLACEMENT, _MUNICIPALITY).where(*_STANDS).limit(1)
BOOKINGS = (
    select(
        _BOOKING,
        _ROOM.c.slug.label("room"),
        _ROOM.c.name.label("room_name"),
        _ROOM.c.site_id,
        _SITE.c.slug.label("site"),
        _MEMBER.c.slug.label("member"),
        _MEMBER.c.name.label("member_name"),
        _WHOSE.scalar_subquery().label("municipality"),
        _WHERE.scalar_subquery().label("address"),
    )
    .join_from(_BOOKING, _ROOM)
    .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    .outerjoin(_MEMBER, _MEMBER.c.id == _BOOKING.c.member_id)
    .where(_BOOKING.c.status.not_like("staged:%"))
)
_COMPANIONS = among(
    select(_HOLDER.c.booking_id, _MEMBER.c.slug).join_from(_HOLDER, _MEMBER).order_by(_HOLDER.c.id),
    _HOLDER.c.booking_id,
    "bookings",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a booking refers to; ``values`` are its row's."""

    room: Row[Any]
    site: Row[Any]
    span: Window
    companions: tuple[int, ...]
    values: dict[str, Any] = field(default_factory=dict)


def by_id(connection: Connection, booking: int) -> Row[Any]:
    """One booking; ProblemError 404."""
    row = connection.execute(BOOKINGS.where(_BOOKING.c.id == booking)).one_or_none()
    if row is None:
        raise not_found("booking", booking)
    return row


def companions_of(connection: Connection, bookings: Iterable[int]) -> dict[int, list[str]]:
    """The slugs of those who come along, by booking."""
    found: dict[int, list[str]] = {}
    asked = _COMPANIONS[connection.dialect.name]
    for row in connection.execute(asked, {"bookings": listed(bookings)}):
        found.setdefault(row.booking_id, []).append(row.slug)
    return found


def make(
    connection: Connection, wanted: Wanted, now: Instant, source: Source | None = None
) -> Row[Any]:
    """Book; ProblemError 404 for an unknown room or member, 422, 403 or 409 if it cannot be."""
    room, site = _room_of(connection, wanted.room)
    record = changes.record(connection, now, f"booking of {wanted.room}", site.id)
    place = _placed(connection, wanted, room, site, now)
    row = by_id(connection, _inserted(connection, place, source or Source(), record, now))
    told(connection, [row], now)
    return row


def make_each(
    connection: Connection, room: str, all_: Iterable[tuple[Wanted, Source]], now: Instant
) -> list[Row[Any]]:
    """Book them all or none, all of one room; ProblemError 409 names every one that cannot be."""
    found, site = _room_of(connection, room)
    record = changes.record(connection, now, f"bookings of {room}", site.id)
    made, refused = [], []
    for wanted, source in all_:
        try:
            place = _placed(connection, wanted, found, site, now)
            made.append(_inserted(connection, place, source, record, now))
        except ProblemError as error:
            if error.status != 409:
                raise
            refused.append(f"{source.recurrence}: {error}")
    if refused:
        raise ProblemError(409, " ".join(refused[:20]))
    rows = [by_id(connection, booking) for booking in made]
    told(connection, rows, now)
    return rows


def change(
    connection: Connection, booking: int, wanted: Wanted, now: Instant, *, again: bool = False
) -> Row[Any]:
    """Make a booking what is wanted; ProblemError as for `make`.

    One that is cancelled is 409, unless it is to be ``again``.
    """
    changes.queue(connection)
    held = by_id(connection, booking)
    if held.status not in ("confirmed", "conflict") and not again:
        raise ProblemError(409, "This booking was cancelled; make a new one.")
    room, site = _room_of(connection, wanted.room)
    record = changes.record(connection, now, f"booking {booking} changed", held.site_id)
    if site.id != held.site_id:
        record = changes.record(connection, now, f"booking {booking} moved here", site.id)
    place = _placed(connection, wanted, room, site, now, booking)
    changed = update(_BOOKING).where(_BOOKING.c.id == booking)
    fresh = place.values | {"change_id": record, "changed_at": now, "planned_end": None}
    came = held.checked_in_at
    if came is not None and not arrivals.is_to(came, place.span, site):
        fresh |= {"checked_in_at": None}  # to what it is now nobody has come yet
    connection.execute(changed.values(**fresh))
    _seated(connection, booking, place)
    row = by_id(connection, booking)
    told(connection, [row], now)
    return row


def cancel(
    connection: Connection, booking: int, now: Instant, status: str = "cancelled"
) -> Row[Any]:
    """Cancel, or release as ``no_show``; doing it twice changes nothing. ProblemError 404."""
    changes.queue(connection)
    held = by_id(connection, booking)
    if held.status in ("confirmed", "conflict"):
        record = changes.record(connection, now, f"booking {booking} {status}", held.site_id)
        gone = {"status": status, "change_id": record, "changed_at": now}
        connection.execute(update(_BOOKING).where(_BOOKING.c.id == booking).values(**gone))
        claims.release(connection, [booking])
        told(connection, [by_id(connection, booking)], now)
    return by_id(connection, booking)


def wanted_of(connection: Connection, held: Row[Any]) -> Wanted:
    """A booking as it stands, to be changed in part (`dataclasses.replace`)."""
    utc = (_time(held.start), _time(held.end))
    return Wanted(
        room=held.room,
        member=held.member,
        span=None if held.whole_day else utc,
        day=date.fromisoformat(held.date) if held.whole_day else None,
        title=held.title,
        kind=held.kind,
        desks=held.desks or 1,
        whole_room=held.desks is None,
        people=held.people,
        companions=tuple(companions_of(connection, [held.id]).get(held.id, ())),
    )


def told(connection: Connection, bookings: Sequence[Row[Any]], now: Instant) -> None:
    """What follows whenever bookings were changed: modes of their doors, and what is owed."""
    openings.hold_open(connection, bookings)
    delivery.owe(connection, bookings, now)


def _placed(
    connection: Connection,
    wanted: Wanted,
    room: Row[Any],
    site: Row[Any],
    now: Instant,
    booking: int = 0,
) -> _Place:
    span = checks.day_span(wanted.day, site) if wanted.day else _span(wanted)
    checks.check_span(connection, site, span, now)
    if wanted.municipality is not None:
        checks.check_municipality(connection, site, span, wanted.municipality)
    event = wanted.kind == "event"
    desks = claims.desks_of(room, wanted.desks, whole=wanted.whole_room or event)
    checks.check_size(room, max(wanted.people, 1 + len(wanted.companions)), desks)
    if event:
        openings.check_held_open(connection, room)
    member = _member(connection, wanted.member or wanted.booker, now)
    if member is not None:
        checks.check_double(connection, room.id, member, span, booking)
    others = {_member(connection, one, now): None for one in wanted.companions}
    values = {
        "room_id": room.id,
        "member_id": member,
        "start": span[0],
        "end": span[1],
        "whole_day": wanted.day is not None,
        "date": wanted.day.isoformat() if wanted.day else None,
        "title": wanted.title,
        "kind": wanted.kind,
        "desks": desks,
        "people": wanted.people,
        "status": "confirmed",
    }
    companions = tuple(one for one in others if one is not None and one != member)
    return _Place(room, site, span, companions, values)


def _inserted(
    connection: Connection, place: _Place, source: Source, record: int, now: Instant
) -> int:
    made = insert(_BOOKING).values(
        **place.values,
        source=source.name,
        external_uid=source.uid,
        recurrence_id=source.recurrence,
        change_id=record,
        created_at=now,
        changed_at=now,
    )
    booking = int(connection.execute(made.returning(_BOOKING.c.id)).scalar_one())
    _seated(connection, booking, place)
    return booking


def _seated(connection: Connection, booking: int, place: _Place) -> None:
    ask = Ask(booking=booking, room=place.room, span=place.span, desks=place.values["desks"])
    try:
        claims.claim(connection, ask)
    except TakenError as error:
        raise ProblemError(409, error.said) from error
    hold(connection, booking, place.companions)


def hold(connection: Connection, booking: int, members: Sequence[int]) -> None:
    """Make these, by row id, the ones who come along."""
    connection.execute(delete(_HOLDER).where(_HOLDER.c.booking_id == booking))
    if members:
        rows = [{"booking_id": booking, "member_id": member} for member in members]
        connection.execute(insert(_HOLDER), rows)


def _room_of(connection: Connection, slug: str) -> tuple[Row[Any], Row[Any]]:
    room = connection.execute(select(_ROOM).where(_ROOM.c.slug == slug)).one_or_none()
    if room is None:
        raise not_found("room", slug)
    return room, connection.execute(select(_SITE).where(_SITE.c.id == room.site_id)).one()


def _member(connection: Connection, who: str | Person | None, now: Instant) -> int | None:
    if who is None:
        return None
    if isinstance(who, Person):
        return guests.welcome(connection, who, now)
    return int(member_by_slug(connection, who).id)


def _span(wanted: Wanted) -> Window:
    if wanted.span is None:
        raise ProblemError(422, "A booking needs `start` and `end`, or `date` for a whole day.")
    return instant(wanted.span[0]), instant(wanted.span[1])


def _time(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
