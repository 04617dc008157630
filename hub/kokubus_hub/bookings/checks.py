"""What makes a booking impossible, said to whoever wants it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub import models, rules
from kokubus_hub.hours import hours_of
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError
from kokubus_hub.times import instant

LONGEST_MS = 366 * 86_400_000
_BOOKING, _PLACEMENT = table(models.Booking), table(models.Placement)
_DOOR, _MUNICIPALITY = table(models.Door), table(models.Municipality)


def day_span(day: date, site: Row[Any]) -> Window:
    """A day's midnights at a site; ProblemError 422 where it is closed that day."""
    if not hours_of(site.opening, site.timezone, day):
        raise ProblemError(422, f"{site.name} is closed on {day}; choose another day.")
    first = datetime.combine(day, datetime.min.time(), ZoneInfo(site.timezone))
    return instant(first), instant(first + timedelta(days=1))


def check_span(connection: Connection, site: Row[Any], span: Window, now: Instant) -> None:
    """ProblemError for a span that is reversed, over, too long, or in a container's transit."""
    start, end = span
    if start >= end:
        raise ProblemError(422, "The booking ends before it begins; swap `start` and `end`.")
    if end <= now:
        raise ProblemError(422, "The booking lies in the past; doors open for the future only.")
    if end - start > LONGEST_MS:
        raise ProblemError(422, "The booking is longer than a year; give a standing right instead.")
    if meets(span, road(connection, site)):
        raise ProblemError(409, in_transit(site))


def road(connection: Connection, site: Row[Any]) -> tuple[Window, ...]:
    """When a container is between two placements; never, for a building."""
    placements = connection.execute(select(_PLACEMENT).where(_PLACEMENT.c.site_id == site.id))
    return rules.in_transit(site, placements)


def meets(span: Window, others: Iterable[Window]) -> bool:
    """Whether a time overlaps one of others."""
    return any(span[0] < last and first < span[1] for first, last in others)


def in_transit(site: Row[Any]) -> str:
    """What is said of a booking then."""
    return f"{site.name} is in transit for part of that time; its placements say when."


def check_size(room: Row[Any], people: int, desks: int | None) -> None:
    """ProblemError 422 for more people or desks than a room has."""
    if people > room.capacity:
        raise ProblemError(422, f"{room.name} is for {room.capacity} people, not for {people}.")
    if desks is not None and desks > room.desks:
        raise ProblemError(422, f"{room.name} has {room.desks} desks, not {desks}.")


def check_double(
    connection: Connection, room: int, member: int, span: Window, booking: int = 0
) -> None:
    """ProblemError 409 if a member has another booking of the room then."""
    same = select(_BOOKING.c.id).where(
        _BOOKING.c.room_id == room,
        _BOOKING.c.member_id == member,
        _BOOKING.c.status == "confirmed",
        _BOOKING.c.id != booking,
        _BOOKING.c.end > span[0],
        _BOOKING.c.start < span[1],
    )
    held = connection.execute(same.limit(1)).scalar()
    if held is not None:
        raise ProblemError(409, f"This member has the room then already, by booking {held}.")


def check_municipality(
    connection: Connection, site: Row[Any], span: Window, municipality: int
) -> None:
    """ProblemError 403 where the site stands elsewhere for any part of that time."""
    standing = (
        select(_PLACEMENT.c.municipality_id, _MUNICIPALITY.c.name)
        .join_from(_PLACEMENT, _MUNICIPALITY)
        .where(
            _PLACEMENT.c.site_id == site.id,
            _PLACEMENT.c.start < span[1],
            _PLACEMENT.c.end.is_(None) | (_PLACEMENT.c.end > span[0]),
        )
    )
    places = connection.execute(standing).all()
    if others := sorted({row.name for row in places if row.municipality_id != municipality}):
        raise ProblemError(
            403, f"{site.name} stands in {others[0]} then, and this platform books elsewhere."
        )
    if not places:
        raise ProblemError(403, f"{site.name} stands in no municipality then.")
