"""Bookings in JSON."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import Row

from kokubus_hub.bookings.delivery import Delivery
from kokubus_hub.bookings.wanted import Filter, Mark, Wanted
from kokubus_hub.people.guests import Person
from kokubus_hub.people.schemas import Email, Language
from kokubus_hub.times import Time, TimeIn, instant

Slug = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MARK = r"^(-?[0-9]{1,15}-)?[0-9]{1,16}$"
Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class DeliveryOut(BaseModel):
    """Whether one door has reported this booking as it stands, its cancellation included."""

    door: str
    state: Literal["waiting", "on_the_door", "failed"]
    since: Time
    why: Literal["", "offline", "later", "no_device", "revoked", "not_confirmed"] = Field(
        description="Why it waits: the device is offline, or policies do not reach so far ahead. "
        "Why it failed: no device, a revoked one, or one that is connected and does not confirm"
    )


class PassOut(BaseModel):
    """How a guest without a badge gets in."""

    member: str
    pin: str | None = Field(description="null once the booking is over")
    link: str = Field(description="A page with the PIN, the way and the time, for the guest alone")
    active: bool = Field(description="Every door on the way knows it: only now say so to the guest")


class BookingOut(BaseModel):
    """A booking and its way to the doors."""

    id: int
    site: str
    municipality: str | None = Field(description="Where the site stands when it begins")
    address: str | None
    room: str
    member: str | None = Field(description="Who holds it; null where its source names nobody known")
    companions: list[str] = Field(description="Members whose badges open the doors as well")
    start: Time
    end: Time
    date: str | None = Field(description="Set for a whole day: that day's opening hours")
    title: str
    kind: Literal["booking", "event"]
    desks: int | None = Field(description="Desks of a pool; null for the whole room")
    people: int
    status: Literal["confirmed", "cancelled", "no_show", "conflict"]
    source: str
    uid: str | None = Field(description="Its name at its source; for a series, the series'")
    recurrence: str
    changed_at: Time
    checked_in_at: Time | None = Field(description="The first entry of one of its people")
    planned_end: Time | None = Field(description="The end it had before everybody had left")
    delivered: bool = Field(description="Every door on the way has it")
    delivery: list[DeliveryOut]
    access: list[PassOut] | None = Field(
        description="What to send to guests; null in lists, ask for the booking itself"
    )

    @classmethod
    def of(
        cls,
        row: Row[Any],
        delivery: list[Delivery],
        companions: Sequence[str],
        access: list[PassOut] | None = None,
    ) -> BookingOut:
        """A booking's row, what its doors have reported, and who comes along."""
        held = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
        same = {name: held[name] for name in cls.model_fields if name in held}
        return cls(
            **same,
            companions=list(companions),
            uid=row.external_uid,
            recurrence=row.recurrence_id,
            delivered=all(one.state == "on_the_door" for one in delivery),
            delivery=[DeliveryOut.model_validate(one, from_attributes=True) for one in delivery],
            access=access,
        )


class BookingQuery(BaseModel):
    """Which bookings: those that overlap ``after`` to ``before``.

    What is booked while pages are fetched neither hides a booking nor shows one twice; one that
    is moved to another time meanwhile may be met at both times, or at neither.
    """

    site: Slug | None = None
    room: Slug | None = None
    member: Slug | None = None
    status: Literal["confirmed", "cancelled", "no_show", "conflict"] | None = None
    uid: Annotated[str, StringConstraints(max_length=255)] | None = None
    after: TimeIn | None = None
    before: TimeIn | None = None
    next: Annotated[str, StringConstraints(pattern=MARK)] | None = Field(
        default=None, description="`next` of the page before, with the same `after` and `before`"
    )
    limit: int = Field(default=100, ge=1, le=500)

    @model_validator(mode="after")
    def _of_this_list(self) -> BookingQuery:
        wanted = self.filter
        if wanted.next is not None and (wanted.next.start is not None) != wanted.by_time:
            raise ValueError("`next` is of another list: give `after` and `before` as it was made")
        return self

    @property
    def filter(self) -> Filter:
        """The same, as the service wants it."""
        fresh = {
            "after": instant(self.after) if self.after else None,
            "before": instant(self.before) if self.before else None,
            "next": Mark.parse(self.next) if self.next else None,
        }
        return Filter(**(self.model_dump() | fresh))


class BookingPage(BaseModel):
    """Bookings in the order they were made; of a span of time, in the order they begin."""

    items: list[BookingOut]
    next: str | None = Field(description="The following page's `next`; it is to be sent as it is")


class PersonIn(BaseModel):
    """Somebody by address; who is unknown becomes a guest."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] = ""
    language: Language = "de"

    @property
    def person(self) -> Person:
        """The same, as the service wants it."""
        return Person(email=self.email, name=self.name, language=self.language)


class _When(BaseModel):
    model_config = ConfigDict(extra="forbid")

    start: TimeIn | None = None
    end: TimeIn | None = None
    date: datetime.date | None = None

    @property
    def span(self) -> tuple[datetime.datetime, datetime.datetime] | None:
        """Start and end, if both are given."""
        return (self.start, self.end) if self.start and self.end else None


class _Said(_When):
    room: Slug
    title: Title = ""
    kind: Literal["booking", "event"] = Field(
        default="booking", description="The doors of an event are held open from start to end"
    )
    desks: int = Field(default=1, ge=1, le=500, description="How many, in a pool of desks")
    whole_room: bool = False
    people: int = Field(default=1, ge=1, le=500)
    companions: list[Slug | PersonIn] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _one_of_both(self) -> _Said:
        if (self.span is not None) == (self.date is not None) or (self.start is None) != (
            self.end is None
        ):
            raise ValueError("give `start` and `end`, or `date` for a whole day")
        return self

    def _wanted(self) -> Wanted:
        return Wanted(
            room=self.room,
            span=self.span,
            day=self.date,
            title=self.title,
            kind=self.kind,
            desks=self.desks,
            whole_room=self.whole_room,
            people=self.people,
            companions=tuple(_who(one) for one in self.companions),
        )


class RepeatIn(BaseModel):
    """How a booking repeats (RFC 5545): the rule must end by COUNT or UNTIL within 400 days."""

    model_config = ConfigDict(extra="forbid")

    rrule: Annotated[str, StringConstraints(max_length=300)] = ""
    rdate: list[TimeIn] = Field(default_factory=list, max_length=100)
    exdate: list[TimeIn] = Field(default_factory=list, max_length=100)


class BookingIn(_Said):
    """A booking to make: ``start`` and ``end``, or ``date`` for a whole day.

    Its holder is ``member``, or ``booker``, who becomes a guest if nobody knows them.
    """

    member: Slug | None = None
    booker: PersonIn | None = None
    repeat: RepeatIn | None = None

    @model_validator(mode="after")
    def _somebody(self) -> BookingIn:
        if (self.member is None) == (self.booker is None):
            raise ValueError("give `member` or `booker`")
        return self

    @property
    def wanted(self) -> Wanted:
        """What is to be booked."""
        booker = self.booker.person if self.booker else None
        return replace(self._wanted(), member=self.member, booker=booker)


class PushedIn(_Said):
    """A booking as a platform knows it; ``cancelled`` takes it back."""

    booker: PersonIn
    cancelled: bool = False

    @property
    def wanted(self) -> Wanted:
        """What is to be booked."""
        return replace(self._wanted(), booker=self.booker.person)


class BookingChange(_When):
    """What is to be different; the rest stays. ``end`` alone extends or shortens."""

    room: Slug | None = None
    title: Title | None = None
    desks: int | None = Field(default=None, ge=1, le=500)
    whole_room: bool | None = None
    people: int | None = Field(default=None, ge=1, le=500)
    companions: list[Slug | PersonIn] | None = Field(default=None, max_length=100)

    def wanted(self, held: Wanted) -> Wanted:
        """The booking as it then is."""
        fresh = {
            name: value
            for name in ("room", "title", "desks", "whole_room", "people")
            if (value := getattr(self, name)) is not None
        }
        if self.companions is not None:
            fresh["companions"] = tuple(_who(one) for one in self.companions)
        return self._timed(replace(held, **fresh))

    def _timed(self, held: Wanted) -> Wanted:
        if self.date is not None:
            return replace(held, span=None, day=self.date)
        if self.start is None and self.end is None:
            return held
        first, last = held.span or (None, None)
        start, end = self.start or first, self.end or last
        return replace(held, span=(start, end) if start and end else None, day=None)


def _who(one: str | PersonIn) -> str | Person:
    return one.person if isinstance(one, PersonIn) else one
