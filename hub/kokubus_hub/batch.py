"""One transaction of the listener: what it knows, and the rows it is about to write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, Update, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus.occupancy import Evidence
from kokubus_hub.bulk import insert_rows
from kokubus_hub.models import (
    Alarm,
    DoorEvent,
    Enforcement,
    Passage,
    Presence,
    Reading,
    table,
)
from kokubus_hub.places import DevicePlace, DoorPlace, Places

Row = dict[str, Any]
AHEAD_MS = 60_000
"""How far a device's clock may be ahead before what it measured moves no belief."""
MARKED = tuple(table(model) for model in (Enforcement, DoorEvent, Passage, Reading))
"""Rows that say when something happened at a door and not which boot it was in."""
_ALARM = table(Alarm)
_PRESENCE = table(Presence)


class Untimed(NamedTuple):
    """A fact whose time is not known yet: its `models.Boot` and the uptime it happened at."""

    boot: int
    uptime_ms: int


class RejectedFactError(KokubusError):
    """A well-formed fact that cannot be true here: an unknown door, another device's door."""


@dataclass(slots=True)
class Batch:
    """Rows are collected while facts are read and written together at the end.

    ``untimed`` is set while a fact is read whose time nobody knows: its rows carry the mark,
    and it is no evidence until it is removed (`kokubus_hub.boots`). ``granted_alone`` are
    taps that a door granted by its own policy.
    """

    connection: Connection
    places: Places
    now: Instant
    rows: defaultdict[Table, list[Row]] = field(default_factory=lambda: defaultdict(list))
    evidence: list[tuple[int, Evidence]] = field(default_factory=list)
    passed: list[Row] = field(default_factory=list)
    repeated: defaultdict[Update, list[Row]] = field(default_factory=lambda: defaultdict(list))
    later: list[tuple[Instant, Untimed | None, Callable[[], object]]] = field(default_factory=list)
    untimed: Untimed | None = None
    granted_alone: list[str] = field(default_factory=list)

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
        self.rows[target].append(values | self.mark if target in MARKED else values)

    @property
    def mark(self) -> Row:
        """The columns of a row that may still have to be timed."""
        boot, uptime_ms = self.untimed or (None, None)
        return {"untimed_boot": boot, "untimed_ms": uptime_ms}

    def set(self, target: Table, row: int, **values: Any) -> None:
        """Change one row at once."""
        self.connection.execute(update(target).where(target.c.id == row).values(**values))

    def past(self, at: Instant) -> Instant:
        """``at``, but not after now: a clock that is ahead must not outlast every later word.

        Where nobody knows when it was, it counts as just now.
        """
        return self.now if self.untimed else min(at, self.now)

    def observe(self, room: int, evidence: Evidence) -> None:
        """Evidence for a room; from a clock that is far ahead it would end all later counting."""
        if self.untimed is None and evidence.at <= self.now + AHEAD_MS:
            self.evidence.append((room, evidence))

    def repeat(self, statement: Update, **values: Any) -> None:
        """Do it with these values when all rows are written, at once with the others like it."""
        self.repeated[statement].append(values)

    def afterwards(self, at: Instant, act: Callable[[], object]) -> None:
        """Do it once all rows are written, in the order of ``at``: alarms come and go."""
        self.later.append((at, self.untimed, act))

    def write(self) -> None:
        """Insert what was collected, a statement a table; then what was to be done afterwards."""
        for target, rows in self.rows.items():
            insert_rows(self.connection, target, rows)
        self.rows.clear()
        for statement, times in self.repeated.items():
            self.connection.execute(statement, times)
        self.repeated.clear()
        for _, untimed, act in sorted(self.later, key=itemgetter(0)):
            self.untimed = untimed
            act()
        self.later.clear()
        self.untimed = None

    def alarm(self, kind: str, device: DevicePlace, at: Instant, **about: Any) -> None:
        """Raise an alarm, whether or not such a one stands."""
        about = {"door_id": None, "member_id": None, "detail": None, "cleared_at": None} | about
        row = {"kind": kind, "site_id": device.site_id, "device_id": device.id, "at": at}
        insert_rows(self.connection, _ALARM, [row | about | self.mark])

    def alarm_once(self, kind: str, device: DevicePlace, at: Instant, **about: Any) -> None:
        """Raise an alarm, unless this very one (kind, device, door) stands already."""
        if self.connection.execute(_standing(kind, device, about.get("door_id"))).first() is None:
            self.alarm(kind, device, at, **about)

    def all_clear(self, kind: str, device: DevicePlace, at: Instant, door: int | None) -> None:
        """Clear an alarm that stands since ``at`` or longer."""
        standing = _standing(kind, device, door).where(_ALARM.c.at <= at)
        self.connection.execute(
            update(_ALARM).where(_ALARM.c.id.in_(standing.scalar_subquery())).values(cleared_at=at)
        )

    def present(self, rows: Iterable[Row]) -> None:
        """Remember who went in or out: (badge_id, room_id, inside, at), the newest wins."""
        rows = sorted(
            rows, key=itemgetter("badge_id", "room_id", "at")
        )  # no listener locks another
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
