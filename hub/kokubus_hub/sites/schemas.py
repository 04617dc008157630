"""Sites in JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from kokubus_hub.counting import Crowd
from kokubus_hub.doors.schemas import DoorOut
from kokubus_hub.sites.service import RoomNow, SiteNow
from kokubus_hub.times import Time


class PeopleNow(BaseModel):
    """A count with its 90 % interval ``low`` to ``high``."""

    at: Time
    median: int
    mean: float
    low: int
    high: int
    presence: float = Field(description="Probability that anybody is there")
    level: Literal["free", "medium", "full"]
    drift: bool = Field(description="More people left than were counted in")

    @classmethod
    def of(cls, crowd: Crowd | None) -> PeopleNow | None:
        """The crowd's count; None if the room was never observed."""
        if crowd is None:
            return None
        count = crowd.estimate
        return cls(
            at=count.at,
            median=count.median,
            mean=round(count.mean, 2),
            low=count.low,
            high=count.high,
            presence=round(count.presence, 4),
            level=crowd.level,
            drift=count.drift,
        )


class PlacementOut(BaseModel):
    """Where a site stands now, and until when if that is agreed."""

    municipality: str
    municipality_name: str
    address: str
    until: Time | None


class OpeningOut(BaseModel):
    """Whether a site is open; ``changes_at`` is None if nothing changes within a week."""

    open: bool
    changes_at: Time | None


class RoomOut(BaseModel):
    """A room and how many people are in it (None: never observed)."""

    id: str
    name: str
    purpose: str
    capacity: int
    people: PeopleNow | None

    @classmethod
    def of(cls, room: RoomNow) -> RoomOut:
        """The room as it is now."""
        return cls(
            id=room.slug,
            name=room.name,
            purpose=room.purpose,
            capacity=room.capacity,
            people=PeopleNow.of(room.crowd),
        )


class SiteOut(BaseModel):
    """A site as it is now."""

    id: str
    name: str
    kind: Literal["building", "container"]
    timezone: str
    help_phone: str
    placement: PlacementOut | None
    in_transit: bool
    opening: OpeningOut
    capacity: int
    people: PeopleNow | None
    rooms: list[RoomOut]
    doors: list[DoorOut]

    @classmethod
    def of(cls, site: SiteNow) -> SiteOut:
        """The site as it is now."""
        return cls(
            id=site.slug,
            name=site.name,
            kind="container" if site.kind == "container" else "building",
            timezone=site.timezone,
            help_phone=site.help_phone,
            placement=_placement(site),
            in_transit=site.in_transit,
            opening=OpeningOut(open=site.hours.open, changes_at=site.hours.changes_at),
            capacity=site.capacity,
            people=PeopleNow.of(site.crowd),
            rooms=[RoomOut.of(room) for room in site.rooms],
            doors=[DoorOut.of(door) for door in site.doors],
        )


def _placement(site: SiteNow) -> PlacementOut | None:
    if site.stand is None:
        return None
    return PlacementOut(
        municipality=site.stand.municipality,
        municipality_name=site.stand.municipality_name,
        address=site.stand.address,
        until=site.stand.until,
    )
