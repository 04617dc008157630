"""How doors stand, from what their devices said last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, or_, select

from kokubus.messages import Instant
from kokubus_hub import models, rules
from kokubus_hub.models import table

DoorState: TypeAlias = Literal["closed", "open", "held", "forced", "unknown"]

_DOOR, _DEVICE, _MODE = table(models.Door), table(models.Device), table(models.DoorMode)
_SITE, _ROOM = table(models.Site), table(models.Room)
_FROM = _ROOM.alias("from_room")
_DOORS = (
    select(
        _DOOR,
        _SITE.c.slug.label("site"),
        _ROOM.c.slug.label("room"),
        _FROM.c.slug.label("from_room"),
        _DEVICE.c.slug.label("device"),
        _DEVICE.c.online,
        _DEVICE.c.status_at,
        _DEVICE.c.revoked_at,
    )
    .join_from(_DOOR, _SITE)
    .join(_ROOM, _ROOM.c.id == _DOOR.c.room_id)
    .outerjoin(_FROM, _FROM.c.id == _DOOR.c.from_room_id)
    .outerjoin(_DEVICE, _DEVICE.c.id == _DOOR.c.device_id)
    .order_by(_DOOR.c.id)
)
_DEVICES = select(_DEVICE, _SITE.c.slug.label("site")).join_from(_DEVICE, _SITE)


@dataclass(frozen=True, slots=True)
class DoorMode:
    """What holds at a door instead of bookings, and until when (None: until taken back)."""

    id: int
    kind: str
    until: Instant | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorNow:
    """A door at this moment. ``device_at`` is when its device was last heard to come or go."""

    id: int
    slug: str
    name: str
    site_id: int
    site: str
    room: str
    from_room: str | None
    device: str | None
    online: bool
    device_at: Instant | None
    state: DoorState
    since: Instant | None
    mode: DoorMode | None


def all_doors(connection: Connection, now: Instant) -> list[DoorNow]:
    """Every door of the network, as it stands."""
    modes = _modes(connection, now)
    return [_door(row, _mode(row, modes)) for row in connection.execute(_DOORS)]


def door_by_slug(connection: Connection, slug: str, now: Instant) -> DoorNow | None:
    """One door; None if there is none of that name."""
    row = connection.execute(_DOORS.where(_DOOR.c.slug == slug)).one_or_none()
    return _door(row, _mode(row, _modes(connection, now))) if row else None


def all_devices(connection: Connection) -> list[Row[Any]]:
    """Every device with its site's slug."""
    return list(connection.execute(_DEVICES.order_by(_DEVICE.c.id)))


def _door(row: Row[Any], mode: DoorMode | None) -> DoorNow:
    online = bool(row.online) and row.revoked_at is None
    state, since = _state(row, online=online)
    return DoorNow(
        id=row.id,
        slug=row.slug,
        name=row.name,
        site_id=row.site_id,
        site=row.site,
        room=row.room,
        from_room=row.from_room,
        device=row.device,
        online=online,
        device_at=row.status_at,
        state=state,
        since=since,
        mode=mode,
    )


def _state(row: Row[Any], *, online: bool) -> tuple[DoorState, Instant | None]:
    if not online:
        return "unknown", row.status_at
    if row.forced_at is not None:
        return "forced", row.forced_at
    if row.held_since is not None:
        return "held", row.held_since
    if row.contact is None:
        return "unknown", row.contact_at
    return ("open" if row.contact == "open" else "closed"), row.contact_at


def _modes(connection: Connection, now: Instant) -> list[Row[Any]]:
    """The modes in force anywhere, lockdowns first, of each kind the newest first."""
    in_force = select(_MODE).where(
        _MODE.c.start <= now, or_(_MODE.c.end.is_(None), _MODE.c.end > now)
    )
    strongest_first = in_force.order_by(_MODE.c.kind != "lockdown", _MODE.c.id.desc())
    return list(connection.execute(strongest_first))


def _mode(door: Row[Any], modes: Iterable[Row[Any]]) -> DoorMode | None:
    """The mode in force at a door; lockdown is the stronger one."""
    found = (
        DoorMode(row.id, row.kind, row.end, row.reason)
        for row in modes
        if rules.concerns(row, door) and (row.kind == "lockdown" or door.free_passage)
    )
    return next(found, None)
