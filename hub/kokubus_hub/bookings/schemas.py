"""Bookings in JSON."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator
from sqlalchemy import Row

from kokubus_hub.bookings.delivery import Delivery
from kokubus_hub.bookings.service import Filter, Wanted
from kokubus_hub.times import Time, TimeIn, instant

Slug = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DeliveryOut(BaseModel):
    """Whether one door on the way has reported this booking, or its cancellation."""

    door: str
    state: Literal["waiting", "on_the_door"]
    since: Time
    why: Literal["", "offline", "later"] = Field(
        description="Why it waits: the device is offline, or policies do not reach so far ahead"
    )


class BookingOut(BaseModel):
    """A booking and its way to the doors."""

    id: int
    site: str
    room: str
    member: str
    start: Time
    end: Time
    date: str | None = Field(description="Set for a whole day: that day's opening hours")
    title: str
    status: Literal["confirmed", "cancelled"]
    source: str
    changed_at: Time
    delivered: bool = Field(description="Every door on the way has it")
    delivery: list[DeliveryOut]

    @classmethod
    def of(cls, row: Row[Any], delivery: list[Delivery]) -> BookingOut:
        """A booking's row and what its doors have reported."""
        return cls(
            id=row.id,
            site=row.site,
            room=row.room,
            member=row.member,
            start=row.start,
            end=row.end,
            date=row.date,
            title=row.title,
            status=row.status,
            source=row.source,
            changed_at=row.changed_at,
            delivered=all(one.state == "on_the_door" for one in delivery),
            delivery=[DeliveryOut.model_validate(one, from_attributes=True) for one in delivery],
        )


class BookingQuery(BaseModel):
    """Which bookings: those that overlap ``after`` to ``before``."""

    site: Slug | None = None
    room: Slug | None = None
    member: Slug | None = None
    after: TimeIn | None = None
    before: TimeIn | None = None
    next: int = Field(default=0, ge=0, le=2**53, description="`next` of the page before")
    limit: int = Field(default=100, ge=1, le=500)

    @property
    def filter(self) -> Filter:
        """The same, as the service wants it."""
        return Filter(
            site=self.site,
            room=self.room,
            member=self.member,
            after=instant(self.after) if self.after else None,
            before=instant(self.before) if self.before else None,
            next=self.next,
            limit=self.limit,
        )


class BookingPage(BaseModel):
    """Bookings in the order they were made; ``next`` is the following page's ``next``."""

    items: list[BookingOut]
    next: int | None


class BookingIn(BaseModel):
    """A booking to make: ``start`` and ``end``, or ``date`` for a whole day."""

    room: Slug
    member: Slug
    start: TimeIn | None = None
    end: TimeIn | None = None
    date: datetime.date | None = None
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> BookingIn:
        spanned = self.start is not None and self.end is not None
        if spanned == (self.date is not None) or (self.start is None) != (self.end is None):
            raise ValueError("give `start` and `end`, or `date` for a whole day")
        return self

    @property
    def wanted(self) -> Wanted:
        """What is to be booked."""
        span = (self.start, self.end) if self.start and self.end else None
        return Wanted(
            room=self.room, member=self.member, span=span, day=self.date, title=self.title
        )
