"""Site TOML into the database: what would change is said first, then done at once or not at all.

Applying the same files again changes nothing. What the files no longer name stays, because
events refer to it, and is said to stay; only placements are taken away (`placements`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from kokubus.errors import SiteError
from kokubus.messages import Instant
from kokubus.site import Door, Room, Sensor, Site, read_site
from kokubus.site.shapes import OUTSIDE
from kokubus_hub import changes, models
from kokubus_hub.models import table
from kokubus_hub.sites import files, placements

Values = Mapping[str, Any]
_TABLES: Mapping[str, Table] = {
    "municipality": table(models.Municipality),
    "site": table(models.Site),
    "room": table(models.Room),
    "device": table(models.Device),
    "door": table(models.Door),
    "sensor": table(models.Sensor),
}
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did, a line each.

    ``+`` new, ``~`` changed, ``-`` gone, ``=`` stays, ``!`` somebody has to see to it. Of the
    ``sites`` touched, devices are given those ``files`` anew.
    """

    lines: tuple[str, ...]
    sites: tuple[str, ...]
    files: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything in the database is different now."""
        return any(line[0] in "+~-" for line in self.lines)


def read_sites(folder: Path) -> list[Site]:
    """Every ``*.toml`` of a folder, by name.

    Raises `SiteError` with every problem of every file, for a site that stands in two files,
    and for a folder without any.
    """
    sites: dict[str, Site] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            site = read_site(path.read_text("utf-8"), path.name)
        except (SiteError, OSError, UnicodeDecodeError) as error:
            problems.append(str(error) if isinstance(error, SiteError) else f"{path}: {error}")
            continue
        if site.part_of:
            problems.append(f"{path.name}: is the part of {site.part_of}; apply the whole site")
        if site.id in sites:
            problems.append(f"{path.name}: site.id: {site.id!r} stands in another file too")
        sites[site.id] = site
    if not sites and not problems:
        problems.append(f"{folder}: no *.toml there; name the folder that holds the sites")
    if problems:
        raise SiteError("\n".join(problems))
    return list(sites.values())


def apply(connection: Connection, sites: Sequence[Site], now: Instant) -> Applied:
    """Make the database's places those of ``sites``, in the caller's writing transaction.

    Roll the transaction back to have only asked what would change.
    """
    lines: list[str] = []
    touched: list[str] = []
    filed: list[str] = []
    for site in sites:
        work = _Work(connection)
        _apply_site(work, site, now)
        if work.lines:
            lines += work.lines
            touched.append(site.id)
        if work.filed:
            filed.append(site.id)
        if any(line[0] in "+~-" for line in work.lines):
            changes.record(connection, now, f"applied:{site.id}", work.ids["site", site.id])
    return Applied(tuple(lines), tuple(touched), tuple(filed))


def _apply_site(work: _Work, site: Site, now: Instant) -> None:
    site_id = work.put("site", site.id, _site(site))
    stood = placements.put(work.connection, site_id, site, _stands(work, site))
    if stood:
        work.lines += stood
        work.stranded = list(placements.stranded(work.connection, site_id, now))
    for room in site.rooms:
        work.put("room", room.id, _room(room, site_id))
    for device in site.devices:
        work.put("device", device, {"site_id": site_id})
    for door in site.doors:
        work.put("door", door.id, _door(door, site_id, work.ids))
    for sensor in site.sensors:
        work.put("sensor", sensor.id, _sensor(sensor, site_id, work.ids))
    work.filed = files.keep(work.connection, site_id, site, now)
    if work.filed and not work.lines:
        work.lines.append(f"~ file of {site.id}: what only its devices need")
    work.lines += [*work.stranded, *_left_over(work, site_id)]


def _stands(work: _Work, site: Site) -> list[placements.Stand]:
    return [
        placements.stand(
            one, work.put("municipality", one.municipality, {"name": one.municipality_name}), site
        )
        for one in site.placements
    ]


@dataclass(slots=True)
class _Work:
    """One site being applied: ids by (kind, slug), and what was found to differ."""

    connection: Connection
    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    stranded: list[str] = field(default_factory=list)
    filed: bool = False

    def put(self, kind: str, slug: str, values: Values) -> int:
        """Insert or update a row by its slug; its id."""
        target = _TABLES[kind]
        row = self.connection.execute(select(target).where(target.c.slug == slug)).first()
        if row is None:
            self.lines.append(f"+ {kind} {slug}")
            added = insert(target).values(slug=slug, **values).returning(target.c.id)
            found = int(self.connection.execute(added).scalar_one())
        else:
            found = int(row.id)
            self._update(target, row, f"{kind} {slug}", values)
        self.ids[kind, slug] = found
        return found

    def _update(self, target: Table, row: Any, name: str, values: Values) -> None:
        held = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
        fresh = {key: value for key, value in values.items() if held[key] != value}
        if fresh:
            said = ", ".join(f"{key} {held[key]!r} -> {value!r}" for key, value in fresh.items())
            self.lines.append(f"~ {name}: {said}")
            self.connection.execute(update(target).where(target.c.id == row.id).values(**fresh))


def _site(site: Site) -> Values:
    return {
        "name": site.name,
        "kind": site.kind,
        "timezone": site.timezone,
        "help_phone": site.help_phone,
        "lead_ms": site.lead_min * MINUTE_MS,
        "grace_ms": site.grace_min * MINUTE_MS,
        "no_show_ms": _minutes(site.no_show_min),
        "early_end_ms": _minutes(site.early_end_min),
        "opens_without_clock": site.opens_without_clock,
        "opening": {day: list(hours) for day, hours in site.opening.items()},
        "daily_reset": site.daily_reset,
        "policy_horizon_ms": _times(site.policy_horizon_days, 24 * HOUR_MS),
        "policy_expiry_ms": _times(site.policy_expiry_hours, HOUR_MS),
    }


def _minutes(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * MINUTE_MS


def _times(count: int | None, ms: int) -> int | None:
    return None if count is None else count * ms


def _room(room: Room, site_id: int) -> Values:
    return {
        "site_id": site_id,
        "name": room.name,
        "capacity": room.capacity,
        "desks": room.desks,
        "reserve": room.reserve,
        "purpose": room.purpose,
        "volume_m3": room.volume_m3,
    }


def _door(door: Door, site_id: int, ids: Mapping[tuple[str, str], int]) -> Values:
    outside = door.leads_from == OUTSIDE
    return {
        "site_id": site_id,
        "device_id": ids["device", door.device],
        "room_id": ids["room", door.room],
        "from_room_id": None if outside else ids["room", door.leads_from],
        "name": door.name,
        "deadline_ms": door.deadline_ms,
        "pulse_ms": door.pulse_ms,
        "anti_passback": str(door.anti_passback),
        "reads_both_sides": door.reads_both_sides,
        "min_assurance": door.min_assurance,
        "continuous_duty": door.continuous_duty,
        "free_passage": door.free_passage,
        "has_contact": door.pins.contact is not None,
    }


def _sensor(sensor: Sensor, site_id: int, ids: Mapping[tuple[str, str], int]) -> Values:
    return {
        "site_id": site_id,
        "room_id": ids["room", sensor.room],
        "device_id": ids["device", sensor.device],
        "quantity": sensor.quantity,
    }


def _left_over(work: _Work, site_id: int) -> Iterator[str]:
    for kind in ("room", "device", "door", "sensor"):
        target = _TABLES[kind]
        query = select(target.c.slug).where(target.c.site_id == site_id).order_by(target.c.slug)
        held: Iterable[str] = work.connection.execute(query).scalars()
        for slug in held:
            if (kind, slug) not in work.ids:
                yield f"= {kind} {slug} stays, though its file does not name it"
