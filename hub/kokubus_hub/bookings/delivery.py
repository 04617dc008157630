"""Which doors a booking needs, and whether they have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant
from kokubus_hub import models, rules
from kokubus_hub.models import table

State: TypeAlias = Literal["waiting", "on_the_door"]
Why: TypeAlias = Literal["", "offline", "later"]

_DOOR, _DEVICE, _ROOM = table(models.Door), table(models.Device), table(models.Room)
_DOORS = (
    select(
        _DOOR,
        _DEVICE.c.online,
        _DEVICE.c.applied_change,
        _DEVICE.c.applied_at,
    )
    .select_from(_DOOR.outerjoin(_DEVICE))
    .order_by(_DOOR.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Whether one door has reported a policy with this booking.

    ``since`` is the booking's change while waiting, else the door's latest report. ``why`` it
    waits: the device is ``offline``, or the booking lies beyond what policies hold (``later``).
    """

    door: str
    name: str
    state: State
    since: Instant
    why: Why = ""


@dataclass(frozen=True, slots=True)
class Doors:
    """The network's doors by the rooms that lie behind them."""

    by_room: Mapping[int, Sequence[Row[Any]]]
    horizon_ms: int

    def of(self, booking: Row[Any]) -> list[Delivery]:
        """The delivery to each door on the way to the booking's room."""
        return [self._delivery(door, booking) for door in self.by_room.get(booking.room_id, ())]

    def delivered(self, booking: Row[Any]) -> bool:
        """Whether every door on the way has it."""
        return all(one.state == "on_the_door" for one in self.of(booking))

    def _delivery(self, door: Row[Any], booking: Row[Any]) -> Delivery:
        known = booking.change_id is not None and (door.applied_change or 0) >= booking.change_id
        later = booking.start >= (door.applied_at or 0) + self.horizon_ms
        if known and not (later and booking.status == "confirmed"):
            return Delivery(
                door=door.slug, name=door.name, state="on_the_door", since=door.applied_at
            )
        why: Why = "later" if known else "" if door.online else "offline"
        return Delivery(
            door=door.slug, name=door.name, state="waiting", since=booking.changed_at, why=why
        )


def read(connection: Connection, horizon_ms: int) -> Doors:
    """The doors as their devices reported last."""
    doors = list(connection.execute(_DOORS))
    slugs = {row.id: row.slug for row in connection.execute(select(_ROOM.c.id, _ROOM.c.slug))}
    ids = {slug: room for room, slug in slugs.items()}
    by_room: dict[int, list[Row[Any]]] = {}
    for door in doors:
        for room in _rooms(door, doors, slugs, ids):
            by_room.setdefault(room, []).append(door)
    return Doors(by_room, horizon_ms)


def _rooms(
    door: Row[Any], doors: Iterable[Row[Any]], slugs: Mapping[int, str], ids: Mapping[str, int]
) -> list[int]:
    return [ids[slug] for slug in rules.rooms_behind(door, doors, slugs)]
