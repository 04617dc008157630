"""One transaction of the listener: what it knows, and the rows it is about to write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus.occupancy import Evidence
from kokubus_hub.bulk import insert_rows
from kokubus_hub.models import Alarm, Presence, table
from kokubus_hub.places import DevicePlace, DoorPlace, Places

Row = dict[str, Any]
_ALARM = table(Alarm)
_PRESENCE = table(Presence)


class RejectedFactError(KokubusError):
    """A well-formed fact that cannot be true here: an unknown door, another device's door."""


@dataclass(slots=True)
class Batch:
    """Rows are collected while facts are read and written together at the end."""

    connection: Connection
    places: Places
    now: Instant
    rows: defaultdict[Table, list[Row]] = field(default_factory=lambda: defaultdict(list))
    evidence: list[tuple[int, Evidence]] = field(default_factory=list)
    passed: list[Row] = field(default_factory=list)

    def door(self, device: DevicePlace, slug: str) -> DoorPlace:
        """The device's door; RejectedFactError if it has none of that name."""
        door = self.places.doors.get(slug)
        if door is None or door.device_id != device.id:
            raise RejectedFactError(
                f"{device.slug}: door {slug!r} is not one of this device's; apply its site TOML"
            )
        return door

    def add(self, target: Table, **values: Any) -> None:
        """One more row for ``target``."""
        self.rows[target].append(values)

    def set(self, target: Table, row: int, **values: Any) -> None:
        """Change one row at once."""
        self.connection.execute(update(target).where(target.c.id == row).values(**values))

    def write(self) -> None:
        """Insert what was collected, a statement a table."""
        for target, rows in self.rows.items():
            insert_rows(self.connection, target, rows)
        self.rows.clear()

    def alarm(self, kind: str, device: DevicePlace, at: Instant, **about: Any) -> None:
        """Raise an alarm, unless this very one (kind, device, door) stands already."""
        about = {"door_id": None, "member_id": None, "detail": None} | about
        if self.connection.execute(_standing(kind, device, about["door_id"])).first() is None:
            self.add(_ALARM, kind=kind, site_id=device.site_id, device_id=device.id, at=at, **about)

    def all_clear(self, kind: str, device: DevicePlace, at: Instant, door: int | None) -> None:
        """Clear a standing alarm."""
        standing = _standing(kind, device, door).with_only_columns(_ALARM.c.id)
        self.connection.execute(
            update(_ALARM).where(_ALARM.c.id.in_(standing.scalar_subquery())).values(cleared_at=at)
        )

    def present(self, rows: Iterable[Row]) -> None:
        """Remember who went in or out: (badge_id, room_id, inside, at), the newest wins."""
        rows = list(rows)
        if rows:
            self.connection.execute(_UPSERT[self.connection.dialect.name], rows)


def _standing(kind: str, device: DevicePlace, door: int | None) -> Any:
    return select(_ALARM.c.id).where(
        _ALARM.c.kind == kind,
        _ALARM.c.device_id == device.id,
        _ALARM.c.door_id.is_(None) if door is None else _ALARM.c.door_id == door,
        _ALARM.c.cleared_at.is_(None),
    )


def _upsert(dialect_insert: Any) -> Any:
    made = dialect_insert(_PRESENCE).values(
        {name: bindparam(name) for name in ("badge_id", "room_id", "inside", "at")}
    )
    return made.on_conflict_do_update(
        index_elements=["badge_id", "room_id"],
        set_={"inside": made.excluded.inside, "at": made.excluded.at},
        where=made.excluded.at >= _PRESENCE.c.at,
    )


_UPSERT = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}
