"""Bookings in pages, each of which begins after the last row of the one before it.

So what is booked meanwhile neither moves a row off a page nor onto two, and no page costs more
than its rows, however far on it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, tuple_

from kokubus_hub import models
from kokubus_hub.bookings import spans
from kokubus_hub.bookings.service import BOOKINGS
from kokubus_hub.bookings.spans import Conditions
from kokubus_hub.bookings.wanted import Filter
from kokubus_hub.models import table
from kokubus_hub.models.bookings import LONG_MS

_BOOKING, _ROOM, _SITE = table(models.Booking), table(models.Room), table(models.Site)
_MEMBER = table(models.Member)


def find(connection: Connection, wanted: Filter) -> list[Row[Any]]:
    """A page of the bookings asked for, by id; of a span of time by start and id."""
    keys = [_BOOKING.c.start, _BOOKING.c.id] if wanted.by_time else [_BOOKING.c.id]
    ordered = BOOKINGS.where(*_conditions(wanted)).order_by(*keys)
    found: list[Row[Any]] = []
    for part in _parts(connection, wanted):
        if len(found) < wanted.limit:
            found += connection.execute(ordered.where(*part).limit(wanted.limit - len(found)))
    return found


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    for value, column in (
        (wanted.site, _SITE.c.slug),
        (wanted.room, _ROOM.c.slug),
        (wanted.member, _MEMBER.c.slug),
        (wanted.status, func.lower(_BOOKING.c.status)),  # as the index has it
        (wanted.uid, _BOOKING.c.external_uid),
    ):
        if value is not None:
            yield column == value
    if wanted.before is not None:
        yield _BOOKING.c.start < wanted.before


def _parts(connection: Connection, wanted: Filter) -> Iterator[Conditions]:
    """What is left of the list, in its order, in parts that each have their index."""
    past = _past(wanted)
    if wanted.after is None:
        yield past
        return
    since, end = spans.begun_since(wanted.after)
    reached = wanted.next.start if wanted.next else None
    if reached is not None and reached > wanted.after - LONG_MS:
        yield end, *past  # one lower bound of the start: SQLite looks it up by the first it finds
        return
    if held := spans.lasting(connection, wanted.after):
        yield _BOOKING.c.id.in_(held), *past
    yield since, end


def _past(wanted: Filter) -> Conditions:
    if wanted.next is None:
        return ()
    if wanted.next.start is None:
        return (_BOOKING.c.id > wanted.next.id,)
    return (tuple_(_BOOKING.c.start, _BOOKING.c.id) > (wanted.next.start, wanted.next.id),)
