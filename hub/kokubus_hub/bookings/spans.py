"""Bookings of a span of time, found by an index among those of many years.

What begins in the span or shortly before it is found by its start. What began longer before and
is not over lasts longer than a day: of those there are few, and they have an index of their own.
"""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import ColumnElement, Connection, literal_column, or_, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.models.bookings import LONG_MS

Conditions: TypeAlias = tuple[ColumnElement[bool], ...]
_BOOKING = table(models.Booking)
_LONG = _BOOKING.c.end - _BOOKING.c.start > literal_column(str(LONG_MS))  # as its index says


def lasting(connection: Connection, at: Instant) -> list[int]:
    """The ids of what was begun long before an instant and is not over."""
    begun = _BOOKING.c.start <= at - LONG_MS
    held = select(_BOOKING.c.id).where(_LONG, _BOOKING.c.end > at, begun)
    return list(connection.execute(held).scalars())


def begun_since(at: Instant) -> Conditions:
    """Conditions of what is not over at an instant and was begun shortly before it, or later."""
    return _BOOKING.c.start > at - LONG_MS, _BOOKING.c.end > at


def ends_after(connection: Connection, at: Instant) -> Conditions:
    """Conditions of all that is not over at an instant."""
    since, end = begun_since(at)
    held = lasting(connection, at)
    return (or_(since, _BOOKING.c.id.in_(held)) if held else since), end
