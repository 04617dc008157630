"""What somebody may want of bookings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

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


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to which row a list has been read: its id, and its start where the list is by time."""

    id: int
    start: Instant | None = None

    @classmethod
    def parse(cls, text: str) -> Mark:
        """What `str` of a mark gave; ValueError for anything else."""
        start, dash, row = text.rpartition("-")
        return cls(int(row), int(start) if dash else None)

    def __str__(self) -> str:
        return str(self.id) if self.start is None else f"{self.start}-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which bookings to list: those that overlap ``after`` to ``before``, and lie past ``next``."""

    site: str | None = None
    room: str | None = None
    member: str | None = None
    status: str | None = None
    uid: str | None = None
    after: Instant | None = None
    before: Instant | None = None
    next: Mark | None = None
    limit: int = 100

    @property
    def by_time(self) -> bool:
        """Whether they are listed as they begin, not as they were made."""
        return self.after is not None or self.before is not None

    def mark(self, page: Sequence[Row[Any]]) -> str | None:
        """``next`` of the page that follows this one; None if none does."""
        if len(page) < self.limit:
            return None
        return str(Mark(page[-1].id, page[-1].start if self.by_time else None))
