"""``/api/v1/sites/{site}/closures`` and ``/api/v1/closures``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from kokubus_hub.context import HubOf, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.security import Someone
from kokubus_hub.sites import closures
from kokubus_hub.sites.closures import Wanted
from kokubus_hub.times import Time, TimeIn, instant

router = APIRouter(tags=["sites"])


class ClosureIn(BaseModel):
    """A time to be closed; without ``confirmed`` it is refused while bookings fall into it."""

    start: TimeIn
    end: TimeIn
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    confirmed: bool = Field(default=False, description="The bookings it hits were looked at")


class ClosureOut(BaseModel):
    """A site is closed, whatever is booked."""

    id: int
    site: str
    start: Time
    end: Time
    reason: str

    @classmethod
    def of(cls, row: Row[Any]) -> ClosureOut:
        """A closure's row."""
        return cls.model_validate(row, from_attributes=True)


class HitOut(BaseModel):
    """A booking that falls into a closure; ``member`` is null where nobody we know has it."""

    booking: int
    room: str
    member: str | None
    start: Time
    end: Time


@router.get("/sites/{site}/closures", summary="Closures that hold or are to come")
def of_site(site: str, hub: HubOf, _who: Someone) -> list[ClosureOut]:
    """In the order they begin."""
    with reading(hub.engine) as connection:
        return [ClosureOut.of(row) for row in closures.of_site(connection, site, hub.now())]


@router.get("/sites/{site}/closures/hits", summary="The bookings a closure would hit")
def hits(
    site: str,
    start: Annotated[TimeIn, Query()],
    end: Annotated[TimeIn, Query()],
    hub: HubOf,
    _who: Someone,
) -> list[HitOut]:
    """To look at before; nothing is closed."""
    with reading(hub.engine) as connection:
        of = closures.site_id(connection, site)
        rows = closures.hits(connection, of, instant(start), instant(end))
    return [
        HitOut(booking=row.id, room=row.room, member=row.member, start=row.start, end=row.end)
        for row in rows
    ]


@router.post("/sites/{site}/closures", status_code=201, summary="Close a site for a while")
def close(site: str, new: ClosureIn, hub: HubOf, who: Someone) -> ClosureOut:
    """409 with the bookings it hits, until it is sent ``confirmed``. They are not cancelled:
    the closure is stronger at the doors, and ends.
    """
    wanted = Wanted(
        site=site,
        start=instant(new.start),
        end=instant(new.end),
        reason=new.reason,
        confirmed=new.confirmed,
    )
    with writing(hub.engine) as connection:
        return ClosureOut.of(closures.make(connection, wanted, hub.now(), who.operator_id))


@router.delete("/closures/{closure}", status_code=204, summary="Take a closure back")
def take_back(closure: RowId, hub: HubOf, who: Someone) -> None:
    """One that holds already ends now."""
    with writing(hub.engine) as connection:
        closures.take_back(connection, closure, hub.now(), who.operator_id)
