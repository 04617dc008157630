"""The network at this moment: every site with its rooms, people and doors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub import models, rules
from kokubus_hub.counting import Counting, Crowd, of_rooms
from kokubus_hub.doors.service import DoorNow, all_doors
from kokubus_hub.models import table

WEEK_MS = 7 * 86_400_000

_SITE, _ROOM, _CLOSURE = table(models.Site), table(models.Room), table(models.Closure)
_PLACEMENT, _MUNICIPALITY = table(models.Placement), table(models.Municipality)
_PLACED = select(
    _PLACEMENT,
    _MUNICIPALITY.c.slug.label("municipality"),
    _MUNICIPALITY.c.name.label("municipality_name"),
).join_from(_PLACEMENT, _MUNICIPALITY)


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a site stands now."""

    municipality: str
    municipality_name: str
    address: str
    until: Instant | None


@dataclass(frozen=True, slots=True)
class Hours:
    """Whether a site is open, and when that changes next (None: not within a week)."""

    open: bool
    changes_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNow:
    """A room and the crowd in it; ``crowd`` is None if it was never observed."""

    id: int
    slug: str
    name: str
    purpose: str
    capacity: int
    crowd: Crowd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteNow:
    """A site at this moment. ``stand`` is None where it stands nowhere now."""

    id: int
    slug: str
    name: str
    kind: str
    timezone: str
    help_phone: str
    stand: Stand | None
    hours: Hours
    crowd: Crowd | None
    rooms: tuple[RoomNow, ...]
    doors: tuple[DoorNow, ...]

    @property
    def in_transit(self) -> bool:
        """Whether it is a container between two placements."""
        return _moving(self, self.stand)

    @property
    def capacity(self) -> int:
        """People for whom there are places, in all rooms."""
        return sum(room.capacity for room in self.rooms)


def network(connection: Connection, counting: Counting, now: Instant) -> list[SiteNow]:
    """Every site, by name."""
    crowds = counting.crowds(connection, now)
    rooms, doors = _rooms(connection, crowds), _by_site(all_doors(connection, now))
    stands, closures = _stands(connection, now), _closures(connection, now)
    sites = connection.execute(select(_SITE).order_by(_SITE.c.name))
    return [
        _site(row, rooms[row.id], doors[row.id], stands.get(row.id), closures[row.id], now)
        for row in sites
    ]


def _site(
    row: Row[Any],
    rooms: Sequence[RoomNow],
    doors: Sequence[DoorNow],
    stand: Stand | None,
    closures: Sequence[Window],
    now: Instant,
) -> SiteNow:
    crowds = {room.id: room.crowd for room in rooms if room.crowd is not None}
    hours = opening(row, closures, now)
    return SiteNow(
        id=row.id,
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        timezone=row.timezone,
        help_phone=row.help_phone,
        stand=stand,
        hours=Hours(open=False, changes_at=None) if _moving(row, stand) else hours,
        crowd=of_rooms(crowds, crowds),
        rooms=tuple(rooms),
        doors=tuple(doors),
    )


def _moving(site: Any, stand: Stand | None) -> bool:
    return site.kind == "container" and stand is None


def opening(site: Row[Any], closures: Iterable[Window], now: Instant) -> Hours:
    """Opening hours with closures taken out."""
    week = rules.expand(site.opening, site.timezone, now, now + WEEK_MS)
    windows = _cut(week, closures)
    current = next((window for window in windows if window[0] <= now < window[1]), None)
    if current is not None:
        return Hours(open=True, changes_at=current[1] if current[1] < now + WEEK_MS else None)
    return Hours(open=False, changes_at=next((start for start, _ in windows if start > now), None))


def _cut(windows: Iterable[Window], holes: Iterable[Window]) -> list[Window]:
    left = list(windows)
    for first, last in holes:
        before = [(start, min(end, first)) for start, end in left]
        after = [(max(start, last), end) for start, end in left]
        left = sorted(window for window in {*before, *after} if window[0] < window[1])
    return left


def _rooms(connection: Connection, crowds: dict[int, Crowd]) -> defaultdict[int, list[RoomNow]]:
    found: defaultdict[int, list[RoomNow]] = defaultdict(list)
    for row in connection.execute(select(_ROOM).order_by(_ROOM.c.id)):
        found[row.site_id].append(
            RoomNow(
                id=row.id,
                slug=row.slug,
                name=row.name,
                purpose=row.purpose,
                capacity=row.capacity,
                crowd=crowds.get(row.id),
            )
        )
    return found


def _by_site(doors: Iterable[DoorNow]) -> defaultdict[int, list[DoorNow]]:
    found: defaultdict[int, list[DoorNow]] = defaultdict(list)
    for door in doors:
        found[door.site_id].append(door)
    return found


def _stands(connection: Connection, now: Instant) -> dict[int, Stand]:
    in_force = _PLACED.where(
        _PLACEMENT.c.start <= now, or_(_PLACEMENT.c.end.is_(None), _PLACEMENT.c.end > now)
    )
    return {
        row.site_id: Stand(row.municipality, row.municipality_name, row.address, row.end)
        for row in connection.execute(in_force.order_by(_PLACEMENT.c.start))
    }


def _closures(connection: Connection, now: Instant) -> defaultdict[int, list[Window]]:
    found: defaultdict[int, list[Window]] = defaultdict(list)
    for row in connection.execute(select(_CLOSURE).where(_CLOSURE.c.end > now)):
        found[row.site_id].append((row.start, row.end))
    return found
