"""Bookings that a platform pushes, by the name it gives them: the same again changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.merging import merged
from kokubus_hub.bookings.wanted import Source, Wanted
from kokubus_hub.calendars import inbox
from kokubus_hub.models import table
from kokubus_hub.people import guests
from kokubus_hub.people.guests import Person
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.times import instant

Parts = dict[str, Any]
_BOOKING, _MEMBER = table(models.Booking), table(models.Member)
_SLUG = select(_MEMBER.c.slug)


def push(
    connection: Connection,
    source: Source,
    wanted: Wanted,
    now: Instant,
    *,
    cancelled: bool = False,
) -> Row[Any]:
    """Make, change or take back the booking of this name; ProblemError as for `service.make`.

    What was changed here by hand meanwhile survives, unless the platform changes the same part:
    then it survives too, and somebody finds both in the inbox.
    """
    changes.queue(connection)
    wanted = _known(connection, wanted, now)
    held = _held(connection, source)
    theirs = _parts(wanted) | {"cancelled": cancelled}
    if held is None:
        if cancelled:
            raise not_found("booking", source.uid)
        row = service.make(connection, wanted, now, source)
    elif held.said == theirs:
        return service.by_id(connection, held.id)
    else:
        row = _merge(connection, service.by_id(connection, held.id), wanted, theirs, now)
    connection.execute(update(_BOOKING).where(_BOOKING.c.id == row.id).values(said=theirs))
    return service.by_id(connection, row.id)


def take_back(connection: Connection, source: Source, now: Instant) -> Row[Any]:
    """Cancel the booking of this name; ProblemError 404."""
    changes.queue(connection)
    held = _held(connection, source)
    if held is None:
        raise not_found("booking", source.uid)
    said = (held.said or {}) | {"cancelled": True}
    connection.execute(update(_BOOKING).where(_BOOKING.c.id == held.id).values(said=said))
    return service.cancel(connection, held.id, now)


def _merge(
    connection: Connection, held: Row[Any], wanted: Wanted, theirs: Parts, now: Instant
) -> Row[Any]:
    now_ours = service.wanted_of(connection, held)
    ours = _parts(now_ours) | {"cancelled": held.status not in ("confirmed", "conflict")}
    fresh, both = merged(held.said, ours, theirs)
    if both:
        inbox.note(
            connection,
            held.room_id,
            "changed_twice",
            str(held.id),
            {"booking": held.id, "parts": both, "source": theirs},
            now,
        )
    if fresh["cancelled"]:
        return service.cancel(connection, held.id, now)
    if fresh == ours:
        return held
    return service.change(connection, held.id, _of(wanted, fresh), now, again=True)


def _held(connection: Connection, source: Source) -> Row[Any] | None:
    query = select(_BOOKING).where(
        _BOOKING.c.source == source.name,
        _BOOKING.c.external_uid == source.uid,
        _BOOKING.c.recurrence_id == source.recurrence,
    )
    return connection.execute(query).one_or_none()


def _known(connection: Connection, wanted: Wanted, now: Instant) -> Wanted:
    """Everybody by slug: who is unknown becomes a guest."""
    companions = [_slug(connection, one, now) for one in wanted.companions]
    member = wanted.booker or wanted.member
    if member is None:
        raise ProblemError(422, "A pushed booking needs its `booker`.")
    return replace(
        wanted,
        member=_slug(connection, member, now),
        booker=None,
        companions=tuple(sorted(set(companions))),
    )


def _slug(connection: Connection, who: str | Person, now: Instant) -> str:
    if isinstance(who, str):
        return who
    found = guests.welcome(connection, who, now)
    return str(connection.execute(_SLUG.where(_MEMBER.c.id == found)).scalar_one())


def _parts(wanted: Wanted) -> Parts:
    times = [instant(one) for one in wanted.span] if wanted.span else [None, None]
    whole = wanted.whole_room or wanted.kind == "event"
    return {
        "when": [wanted.room, *times, wanted.day.isoformat() if wanted.day else None],
        "who": wanted.member,
        "companions": sorted(one for one in wanted.companions if isinstance(one, str)),
        "title": wanted.title,
        "kind": wanted.kind,
        "size": [None if whole else wanted.desks, wanted.people],
    }


def _of(wanted: Wanted, parts: Parts) -> Wanted:
    room, start, end, day = parts["when"]
    desks, people = parts["size"]
    span = None if day else (_time(start), _time(end))
    return replace(
        wanted,
        room=room,
        span=span,
        day=date.fromisoformat(day) if day else None,
        member=parts["who"],
        companions=tuple(parts["companions"]),
        title=parts["title"],
        kind=parts["kind"],
        desks=desks or 1,
        whole_room=desks is None,
        people=people,
    )


def _time(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
