"""What somebody may want of bookings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kokubus.messages import Instant
from kokubus_hub.people.guests import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A booking as it is to be: a time span, or the opening hours of a whole ``day``.

    Its holder is ``member`` (a slug) or ``booker``, who becomes a guest if nobody knows them;
    ``companions`` are slugs and people whose badges open the doors as well. ``desks`` of a pool,
    or the ``whole_room``, for so many ``people``.
    """

    room: str
    member: str | None = None
    booker: Person | None = None
    span: tuple[datetime, datetime] | None = None
    day: date | None = None
    title: str = ""
    kind: str = "booking"
    desks: int = 1
    whole_room: bool = False
    people: int = 1
    companions: tuple[str | Person, ...] = ()
    municipality: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whose booking it is, so that it is found again; the hub's own have no ``uid``."""

    name: str = "hub"
    uid: str | None = None
    recurrence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which bookings to list: those that overlap ``after`` to ``before``."""

    site: str | None = None
    room: str | None = None
    member: str | None = None
    status: str | None = None
    uid: str | None = None
    after: Instant | None = None
    before: Instant | None = None
    next: int = 0
    limit: int = 100
