"""Plans, roles and standing rights in JSON."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from sqlalchemy import Row

from kokubus.site.opening import DAYS, HOLIDAY, hours
from kokubus_hub.entitlements.places import Place
from kokubus_hub.entitlements.plans import Plan
from kokubus_hub.people.schemas import Name
from kokubus_hub.times import Time, TimeIn

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Known = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def _weekly(given: dict[str, list[str]]) -> dict[str, list[str]]:
    for day, spans in given.items():
        _day(day)
        for span in spans:
            hours(span)
    return given


def _day(name: str) -> None:
    if name in DAYS or name == HOLIDAY:
        return
    try:
        date.fromisoformat(name)
    except ValueError as error:
        days = ", ".join(DAYS)
        raise ValueError(f"{name[:20]!r} is no day; use {days}, holiday, or a date") from error


Hours = Annotated[str, StringConstraints(max_length=11)]
Schedule = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=10)],
        Annotated[list[Hours], Field(max_length=24)],
    ],
    Field(max_length=64, examples=[{"mon": ["08:00-18:00"], "fri": ["22:00-02:00"]}]),
    AfterValidator(_weekly),
]
"""Weekly hours by day, as a site's opening hours are written; a missing day is closed."""


class PlaceIn(BaseModel):
    """A whole site, or one room of it."""

    site: Known
    room: Known | None = None

    @property
    def place(self) -> Place:
        """The same, as the service wants it."""
        return Place(self.site, self.room)


class PlanIn(BaseModel):
    """What a plan or role is and gives."""

    name: Name
    kind: Literal["plan", "role"] = "plan"
    schedule: Schedule | None = Field(default=None, description="null: each site's opening hours")
    places: list[PlaceIn] = Field(max_length=200)

    def plan(self, slug: str) -> Plan:
        """The same, as the service wants it."""
        return Plan(
            id=slug,
            name=self.name,
            kind=self.kind,
            schedule=self.schedule,
            places=tuple(dict.fromkeys(place.place for place in self.places)),
        )


class PlanNew(PlanIn):
    """A new plan or role."""

    id: Slug


class PlanOut(BaseModel):
    """A plan or role, and how many members have it."""

    id: str
    name: str
    kind: Literal["plan", "role"]
    schedule: dict[str, list[str]] | None
    places: list[PlaceIn]
    members: int

    @classmethod
    def of(cls, plan: Plan) -> PlanOut:
        """A plan of the service."""
        return cls.model_validate(plan, from_attributes=True)


class HeldIn(BaseModel):
    """From when to when a member has a plan; null is unbounded."""

    start: TimeIn | None = None
    end: TimeIn | None = None


class HeldOut(BaseModel):
    """A plan that a member has."""

    plan: str
    name: str
    start: Time | None
    end: Time | None


class EntitlementIn(PlaceIn):
    """A standing right to give by hand."""

    member: Known
    schedule: Schedule | None = Field(default=None, description="null: the site's opening hours")
    start: TimeIn | None = None
    end: TimeIn | None = None


class EntitlementOut(BaseModel):
    """A standing right; ``plan`` where a plan or role gives it."""

    id: int
    member: str
    site: str
    room: str | None
    schedule: dict[str, list[str]] | None
    start: Time | None
    end: Time | None
    plan: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> EntitlementOut:
        """A row of the service."""
        return cls.model_validate(row, from_attributes=True)


class EntitlementPage(BaseModel):
    """Standing rights in the order they were given; ``next`` is the following page's ``after``."""

    items: list[EntitlementOut]
    next: int | None


class KeyholderOut(BaseModel):
    """A badge that opens a site's doors whatever else holds; each use is an alarm."""

    badge: int
    label: str | None
    member: str | None
    status: str

    @classmethod
    def of(cls, row: Row[Any]) -> KeyholderOut:
        """A row of the service."""
        return cls(badge=row.id, label=row.label, member=row.member, status=row.status)
