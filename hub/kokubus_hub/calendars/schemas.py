"""Calendars, the inbox and platforms in JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Row

from kokubus_hub.bookings.schemas import PushedIn
from kokubus_hub.calendars.feeds import Wanted
from kokubus_hub.times import Time

Slug = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MINUTE_MS = 60_000


class FeedOut(BaseModel):
    """A room's calendar and how it is. Its address may be a secret and is not shown again."""

    model_config = ConfigDict(from_attributes=True)

    room: str
    state: Literal["new", "ok", "failing", "shrunk"] = Field(
        description="`shrunk`: more than half of it is gone, and waits to be confirmed"
    )
    detail: str
    events: bool
    failures: int
    bookings: int
    tried_at: Time | None
    imported_at: Time | None
    next_at: Time


class FeedIn(BaseModel):
    """A calendar to follow, in the place of the room's present one."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2_000)]
    every_minutes: int = Field(default=5, ge=1, le=1_440)
    events: bool = Field(
        default=False, description="Public events (by category) hold their doors open"
    )

    def wanted(self, room: str) -> Wanted:
        """The same, as the service wants it."""
        every = self.every_minutes * MINUTE_MS
        return Wanted(room=room, url=self.url, every_ms=every, events=self.events)


class DoubtOut(BaseModel):
    """Something about imported bookings that somebody has to say."""

    id: int
    room: str
    kind: Literal["unknown_person", "nobody", "conflict", "changed_twice"]
    about: str = Field(description="An e-mail address, an event's UID or a booking's id")
    detail: dict[str, Any]
    at: Time
    settled: str | None
    settled_at: Time | None

    @classmethod
    def of(cls, row: Row[Any]) -> DoubtOut:
        """One row of the inbox."""
        held = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
        said = {name: held[name] for name in cls.model_fields}
        return cls(**said | {"detail": row.detail or {}})


class DoubtPage(BaseModel):
    """The inbox in the order things came up; ``next`` is the following page's ``after``."""

    items: list[DoubtOut]
    next: int | None


class AnswerIn(BaseModel):
    """Whose address it is: a ``member``'s, a new ``guest``'s, or (neither) nobody's.

    To what is about no person, say neither: it was seen.
    """

    model_config = ConfigDict(extra="forbid")

    member: Slug | None = None
    guest: bool = False


class LinkOut(BaseModel):
    """A calendar's secret address, shown this once."""

    path: str


class HookIn(PushedIn):
    """What a platform pushes, by the name it gives the booking."""

    uid: Annotated[str, StringConstraints(min_length=1, max_length=255)]
