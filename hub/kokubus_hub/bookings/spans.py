"""Bookings of a span of time, found by an index among those of many years."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table

_BOOKING = table(models.Booking)
_LENGTH = _BOOKING.c.end - _BOOKING.c.start
_LONGEST = select(_LENGTH).order_by(_LENGTH.desc()).limit(1)


def ends_after(connection: Connection, at: Instant) -> tuple[ColumnElement[bool], ...]:
    """Conditions of what is not over at an instant.

    It cannot have begun longer before than the longest booking there is, which an index tells:
    so a day among years needs no look at everything that begins before it or ends after it.
    """
    longest = connection.execute(_LONGEST).scalar() or 0
    return _BOOKING.c.end > at, _BOOKING.c.start > at - longest
