"""Bookings that repeat (RFC 5545), as the bookings they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import icalendar
from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Source, Wanted
from kokubus_hub.imports import ics
from kokubus_hub.imports.problems import ImportFileError
from kokubus_hub.imports.slots import Slot
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.times import instant

LONGEST_MS = 400 * 86_400_000
MOST = 110
"""Twice a week for a year; they are booked in one transaction."""
_BOOKING, _ROOM, _SITE = table(models.Booking), table(models.Room), table(models.Site)


@dataclass(frozen=True, slots=True)
class Repeat:
    """An RRULE's text, dates beside it and dates left out."""

    rrule: str = ""
    rdate: Sequence[datetime] = ()
    exdate: Sequence[datetime] = ()


def make(connection: Connection, wanted: Wanted, repeat: Repeat, now: Instant) -> list[Row[Any]]:
    """Book every occurrence or none; ProblemError 422 for a rule without an end, 409 if taken."""
    site = connection.execute(
        select(_SITE.c.timezone).join_from(_ROOM, _SITE).where(_ROOM.c.slug == wanted.room)
    ).one_or_none()
    if site is None:
        raise not_found("room", wanted.room)
    slots = occurrences(wanted, repeat, ZoneInfo(site.timezone))
    slots = [slot for slot in slots if slot.end > now]
    if not 0 < len(slots) <= MOST:
        raise ProblemError(422, f"The series has {len(slots)} occurrences ahead; 1 to {MOST}.")
    uid = f"{uuid4()}@kokubus"
    each = ((_at(wanted, slot), Source(uid=uid, recurrence=slot.recurrence_id)) for slot in slots)
    return service.make_each(connection, wanted.room, each, now)


def cancel(connection: Connection, uid: str, now: Instant) -> list[Row[Any]]:
    """Cancel what is left of a series; ProblemError 404."""
    query = select(_BOOKING.c.id, _BOOKING.c.end, _BOOKING.c.status).where(
        _BOOKING.c.source == "hub", _BOOKING.c.external_uid == uid
    )
    rows = connection.execute(query.order_by(_BOOKING.c.start)).all()
    if not rows:
        raise not_found("series", uid)
    ahead = [row.id for row in rows if row.end > now and row.status == "confirmed"]
    return [service.cancel(connection, booking, now) for booking in ahead]


def occurrences(wanted: Wanted, repeat: Repeat, zone: ZoneInfo) -> list[Slot]:
    """When it takes place, in the site's time; ProblemError 422 for what is no rule."""
    rule = _rule(repeat.rrule)
    event = _event(wanted, repeat, rule, zone)
    calendar = icalendar.Calendar()
    calendar.add_component(event)
    begins = _instant(_bounds(wanted, zone)[0], zone)
    last = max([begins, *(instant(one) for one in repeat.rdate)]) + LONGEST_MS
    try:
        read = ics.read("repeat", calendar.to_ical(), zone, begins, last)
    except ImportFileError as error:
        text = "; ".join(one.text for found in error.problems.values() for one in found)
        raise ProblemError(422, f"This repetition cannot be: {text}.") from error
    return sorted(read.slots, key=lambda slot: slot.start)


def _rule(text: str) -> Any:
    if not text:
        return None
    try:
        rule = icalendar.vRecur.from_ical(text.removeprefix("RRULE:"))
    except ValueError as error:
        raise ProblemError(422, f"`rrule` is no recurrence rule of RFC 5545: {text!r}.") from error
    if "FREQ" not in rule:
        raise ProblemError(422, f"`rrule` needs FREQ, as in FREQ=WEEKLY;COUNT=10: {text!r}.")
    if "COUNT" not in rule and "UNTIL" not in rule:
        raise ProblemError(422, "`rrule` needs an end: COUNT, or UNTIL within 400 days.")
    return rule


def _event(wanted: Wanted, repeat: Repeat, rule: Any, zone: ZoneInfo) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", "series")
    first, last = _bounds(wanted, zone)
    event.add("dtstart", first)
    if wanted.span and last <= first:
        # within the hour that comes twice: the wall's clock says that it ends before it begins
        event.add("duration", wanted.span[1] - wanted.span[0])
    else:
        event.add("dtend", last)
    if rule is not None:
        event["RRULE"] = rule
    for name, times in (("rdate", repeat.rdate), ("exdate", repeat.exdate)):
        local = [one.astimezone(zone) for one in times]
        if local:
            event.add(name, [one.date() for one in local] if wanted.day else local)
    return event


def _bounds(wanted: Wanted, zone: ZoneInfo) -> tuple[date, date]:
    if wanted.day is not None:
        return wanted.day, wanted.day + timedelta(days=1)
    if wanted.span is None:
        raise ProblemError(422, "A booking needs `start` and `end`, or `date` for a whole day.")
    if wanted.span[1] <= wanted.span[0]:
        raise ProblemError(422, "The booking ends before it begins; swap `start` and `end`.")
    return wanted.span[0].astimezone(zone), wanted.span[1].astimezone(zone)


def _at(wanted: Wanted, slot: Slot) -> Wanted:
    if slot.date is not None:
        return replace(wanted, day=date.fromisoformat(slot.date))
    first, last = (datetime.fromtimestamp(at / 1000, UTC) for at in (slot.start, slot.end))
    return replace(wanted, span=(first, last))


def _instant(moment: date, zone: ZoneInfo) -> Instant:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time(), zone)
    return instant(moment)
