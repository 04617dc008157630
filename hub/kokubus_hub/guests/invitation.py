"""What a guest has to know: when, where, by which doors, with which PIN, and whether it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, or_, select

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub import models, rules
from kokubus_hub.bookings import checks, delivery, service
from kokubus_hub.context import Hub
from kokubus_hub.models import table
from kokubus_hub.people import passes

HOUR_MS = 3_600_000
State: TypeAlias = Literal["active", "waiting", "offline", "later", "closed", "over", "cancelled"]

_SITE, _PLACEMENT = table(models.Site), table(models.Placement)
_CLOSURE = table(models.Closure)
_MUNICIPALITY = table(models.Municipality)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A guest's booking. ``windows`` are when the PIN opens, lead and grace included."""

    state: State
    pin: str | None
    site: Row[Any]
    room: str
    title: str
    address: str
    start: Instant
    end: Instant
    whole_day: bool
    windows: tuple[Window, ...]
    doors: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Invitation(state={self.state!r}, room={self.room!r}, ...)"


def invitation(connection: Connection, hub: Hub, token: str) -> Invitation | None:
    """What the holder of a link sees; None if there is no such pass."""
    found = passes.by_token(connection, hub.keyring, token)
    if found is None:
        return None
    booking = service.by_id(connection, found.booking)
    site = connection.execute(select(_SITE).where(_SITE.c.id == booking.site_id)).one()
    horizon_ms = hub.settings.policy_horizon_hours * HOUR_MS
    doors = delivery.read(connection, horizon_ms, hub.now(), [booking.id])
    windows = _windows(booking, site)
    state = _state(booking, windows, found, doors, hub.now())
    if state not in ("over", "cancelled") and not _left(connection, site, windows):
        state = "closed"
    return Invitation(
        state=state,
        pin=None if state in ("over", "cancelled") else found.pin,
        site=site,
        room=booking.room_name,
        title=booking.title,
        address=_address(connection, site.id, booking.start),
        start=booking.start,
        end=booking.end,
        whole_day=booking.whole_day,
        windows=windows,
        doors=tuple(door.name for door in doors.by_room.get(booking.room_id, ())),
    )


def _windows(booking: Row[Any], site: Row[Any]) -> tuple[Window, ...]:
    if booking.whole_day:
        return rules.windows_of(booking, site)
    return ((booking.start - site.lead_ms, booking.end + site.grace_ms),)


def _left(
    connection: Connection, site: Row[Any], windows: tuple[Window, ...]
) -> tuple[Window, ...]:
    """What closures and a container's transit leave of the times at which the PIN opens."""
    closures = select(_CLOSURE.c.start, _CLOSURE.c.end).where(_CLOSURE.c.site_id == site.id)
    shut = [(row.start, row.end) for row in connection.execute(closures)]
    shut += checks.road(connection, site)
    return tuple(part for window in windows for part in rules.without(window, shut))


def _state(
    booking: Row[Any],
    windows: tuple[Window, ...],
    found: passes.Pass,
    doors: delivery.Doors,
    now: Instant,
) -> State:
    if booking.status != "confirmed":
        return "cancelled"
    if found.pin is None or now >= max((end for _, end in windows), default=booking.end):
        return "over"
    if doors.know(booking, found.change):
        return "active"
    why = {one.why for one in doors.of(booking) if one.state != "on_the_door"}
    if why & {"offline", "not_confirmed"}:
        return "offline"
    return "later" if "later" in why else "waiting"


def _address(connection: Connection, site: int, at: Instant) -> str:
    """Where the site stands then: a container may have moved until the booking begins."""
    wanted = (
        select(_PLACEMENT.c.address, _MUNICIPALITY.c.name)
        .join_from(_PLACEMENT, _MUNICIPALITY)
        .where(
            _PLACEMENT.c.site_id == site,
            _PLACEMENT.c.start <= at,
            or_(_PLACEMENT.c.end.is_(None), _PLACEMENT.c.end > at),
        )
    )
    row = connection.execute(wanted).first()
    return (row.address or row.name) if row else ""
