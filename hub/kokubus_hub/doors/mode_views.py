"""``/api/v1/modes``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from kokubus_hub.context import HubOf, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.doors import modes
from kokubus_hub.doors.modes import Kind, ModeNow, Wanted
from kokubus_hub.security import Someone
from kokubus_hub.times import Time, TimeIn, instant

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=64)]
router = APIRouter(prefix="/modes", tags=["doors"])


class ModeIn(BaseModel):
    """A mode to begin: at a door, at all of a ``site``'s, or, without both, everywhere."""

    kind: Kind
    reason: Reason = Field(description="Kept with the operator's name")
    door: Slug | None = None
    site: Slug | None = None
    start: TimeIn | None = Field(default=None, description="Now, if it is left out")
    until: TimeIn | None = Field(
        default=None, description="A lockdown without an end lasts until it is taken back"
    )

    @property
    def wanted(self) -> Wanted:
        """The same, as the service wants it."""
        return Wanted(
            kind=self.kind,
            reason=self.reason,
            door=self.door,
            site=self.site,
            start=instant(self.start) if self.start else None,
            end=instant(self.until) if self.until else None,
        )


class ModeChange(BaseModel):
    """Another end."""

    until: TimeIn


class ModeLine(BaseModel):
    """A mode, the doors it holds at, and those of them that have it on their disk."""

    id: int
    kind: Literal["free_passage", "lockdown"]
    scope: Literal["door", "site", "network"]
    door: str | None
    site: str | None
    start: Time
    until: Time | None
    reason: str
    operator: str | None
    booking: int | None
    doors: list[str]
    on_the_door: list[str]

    @classmethod
    def of(cls, mode: ModeNow) -> ModeLine:
        """The mode as it stands."""
        row = mode.row
        return cls(
            id=row.id,
            kind=row.kind,
            scope="door" if row.door else "site" if row.site else "network",
            door=row.door,
            site=row.site,
            start=row.start,
            until=row.end,
            reason=row.reason,
            operator=row.operator,
            booking=row.booking_id,
            doors=list(mode.doors),
            on_the_door=list(mode.delivered),
        )


@router.get("", summary="Lockdowns and free passage, in force and to come")
def all_modes(
    hub: HubOf,
    _who: Someone,
    over: Annotated[bool, Query(description="Also the last hundred that are over")] = False,
) -> list[ModeLine]:
    """Newest first, each with the doors that have it."""
    with reading(hub.engine) as connection:
        return [ModeLine.of(one) for one in modes.in_force(connection, hub.now(), over=over)]


@router.post("", status_code=201, summary="Lock doors down, or let them stand open")
def begin(new: ModeIn, hub: HubOf, who: Someone) -> ModeLine:
    """Every door learns of it within a second, and ends it by its own clock, hub or no hub."""
    with writing(hub.engine) as connection:
        return ModeLine.of(modes.begin(connection, new.wanted, hub.now(), who.operator_id))


@router.patch("/{mode}", summary="Let a mode end at another time")
def change(mode: RowId, new: ModeChange, hub: HubOf, who: Someone) -> ModeLine:
    """Sooner or later than it was said first."""
    with writing(hub.engine) as connection:
        until = instant(new.until)
        return ModeLine.of(modes.end(connection, mode, until, hub.now(), who.operator_id))


@router.delete("/{mode}", summary="Take a mode back")
def end(mode: RowId, hub: HubOf, who: Someone) -> ModeLine:
    """From now on bookings and rights decide again."""
    with writing(hub.engine) as connection:
        return ModeLine.of(modes.end(connection, mode, None, hub.now(), who.operator_id))
