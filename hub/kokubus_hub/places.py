"""The network's places as the listener needs them: read once a change, kept in memory.

Whatever policies depend on writes a row of `changes` in its own transaction, so a copy that
carries the newest change's id is exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from kokubus.messages import Instant, Side
from kokubus.occupancy import RoomModel, Sensor, Timetable
from kokubus.occupancy.calibration import Calibration, calibrated
from kokubus.rights import AntiPassback, BadgeRules, DoorRules, Right, Window
from kokubus_hub import changes, models, rules
from kokubus_hub.models import table

ONE_AT_A_TIME = frozenset({"co2", "light", "sound"})
"""Two sensors of the same air differ by more than they tell: one of them is listened to."""
_SENSED = {"pir": Sensor.PIR, "co2": Sensor.CO2, "beam": Sensor.BEAM}
_DAY_MS = 86_400_000
_BEFORE_MS, _AFTER_MS = 2 * _DAY_MS, 30 * _DAY_MS
"""How much more than was asked for a timetable covers, so that the next question finds it."""
_FAULT, _CALIBRATION = table(models.SensorFault), table(models.Calibration)
_BAD = select(_FAULT.c.sensor_id).where(_FAULT.c.cleared_at.is_(None))


@dataclass(frozen=True, slots=True)
class DevicePlace:
    """A Raspberry Pi and the site it stands at."""

    id: int
    slug: str
    site_id: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class DoorPlace:
    """A door between ``from_room_id`` (None: outside) and ``room_id``, with its rules."""

    id: int
    slug: str
    site_id: int
    device_id: int | None
    room_id: int
    from_room_id: int | None
    has_contact: bool
    rules: DoorRules

    @property
    def passback(self) -> bool:
        """Whether somebody must be asked who is inside."""
        return self.rules.anti_passback is not AntiPassback.OFF

    def ways(self, side: Side | None) -> list[tuple[int, Side | None]]:
        """(room id, the way somebody went as seen from it) for a passage on ``side``."""
        ways: list[tuple[int, Side | None]] = [(self.room_id, side)]
        if self.from_room_id is not None:
            back = {Side.IN: Side.OUT, Side.OUT: Side.IN}
            ways.append((self.from_room_id, back[side] if side else None))
        return ways


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """A room, its site and the occupancy filter's model of it.

    ``priors`` is the model as physics has it, ``model`` with what the room has taught.
    """

    id: int
    slug: str
    site_id: int
    capacity: int
    reserve: int
    model: RoomModel
    priors: RoomModel


@dataclass(frozen=True, slots=True)
class SensorPlace:
    """A sensor of a device, and the room it is in.

    ``counts`` is whether the filter listens to it: it is not known to be bad, and of the
    room's sensors for CO2, light or sound it is the first such one.
    """

    id: int
    room_id: int
    quantity: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """A badge's rights as of ``at``; without ``rules`` there is no such badge."""

    at: Instant
    badge_id: int | None = None
    member_id: int | None = None
    rules: BadgeRules | None = None
    rights: Mapping[str, Right] = field(default_factory=dict)
    schedules: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Places:
    """All of them, as of ``change``, and by lookup the badges that were asked for since."""

    change: int
    devices: dict[str, DevicePlace] = field(default_factory=dict)
    doors: dict[str, DoorPlace] = field(default_factory=dict)
    rooms: dict[int, RoomPlace] = field(default_factory=dict)
    sensors: dict[tuple[int, str], SensorPlace] = field(default_factory=dict)
    sites: dict[int, Row[Any]] = field(default_factory=dict)
    keyholders: dict[int, tuple[str, ...]] = field(default_factory=dict)
    door_slugs: dict[int, str] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    timetables: dict[int, tuple[Instant, Instant, Timetable]] = field(default_factory=dict)

    def timetable(self, site: int, start: Instant, end: Instant) -> Timetable:
        """A site's opening hours from ``start`` to ``end`` at least."""
        first, last, known = self.timetables.get(site, (0, 0, None))
        if known is not None and first <= start and end <= last:
            return known
        first, last = start - _BEFORE_MS, end + _AFTER_MS
        row = self.sites[site]
        made = Timetable(rules.expand(row.opening, row.timezone, first, last))
        self.timetables[site] = (first + _DAY_MS, last - _DAY_MS, made)
        return made


def current(connection: Connection, known: Places | None) -> Places:
    """``known`` if nothing was changed since, else all of it again."""
    change = changes.latest(connection)
    return known if known and known.change == change else load(connection, change)


def load(connection: Connection, change: int) -> Places:
    """Read every place; a few hundred rows in a whole network."""
    places = Places(change)
    places.sites = {row.id: row for row in _all(connection, models.Site)}
    places.sensors = _sensors(connection)
    places.rooms = _rooms(connection, places.sensors.values(), learned(connection))
    places.devices = {
        row.slug: DevicePlace(row.id, row.slug, row.site_id, row.revoked_at is not None)
        for row in _all(connection, models.Device)
    }
    _add_doors(connection, places)
    places.keyholders = _keyholders(connection, places)
    return places


def _sensors(connection: Connection) -> dict[tuple[int, str], SensorPlace]:
    bad = set(connection.scalars(_BAD))
    found: dict[tuple[int, str], SensorPlace] = {}
    taken: set[tuple[int, str]] = set()
    for row in sorted(_all(connection, models.Sensor), key=lambda row: int(row.id)):
        what = (row.room_id, row.quantity)
        counts = row.id not in bad and what not in taken
        if counts and row.quantity in ONE_AT_A_TIME:
            taken.add(what)
        place = SensorPlace(row.id, row.room_id, row.quantity, counts)
        found[row.device_id, row.slug] = place
    return found


def learned(connection: Connection) -> dict[int, Calibration]:
    """The calibration in force, by room id; a damaged one is none."""
    newest = select(func.max(_CALIBRATION.c.id)).group_by(_CALIBRATION.c.room_id)
    query = select(_CALIBRATION).where(_CALIBRATION.c.id.in_(newest))
    found = {}
    for row in connection.execute(query):
        with suppress(ValueError):
            found[row.room_id] = Calibration.from_json(row.state)
    return found


def _rooms(
    connection: Connection,
    sensors: Iterable[SensorPlace],
    taught: Mapping[int, Calibration],
) -> dict[int, RoomPlace]:
    seen: defaultdict[int, set[Sensor]] = defaultdict(lambda: {Sensor.BADGE})
    for sensor in sensors:
        if sensor.quantity in _SENSED and sensor.counts:
            seen[sensor.room_id].add(_SENSED[sensor.quantity])
    return {
        row.id: _room(row, frozenset(seen[row.id]), taught.get(row.id, Calibration()))
        for row in _all(connection, models.Room)
    }


def _room(row: Row[Any], sensors: frozenset[Sensor], taught: Calibration) -> RoomPlace:
    priors = RoomModel(capacity=row.capacity, volume_m3=row.volume_m3, sensors=sensors)
    model = calibrated(priors, taught)
    return RoomPlace(row.id, row.slug, row.site_id, row.capacity, row.reserve, model, priors)


def _add_doors(connection: Connection, places: Places) -> None:
    doors = _all(connection, models.Door)
    slugs = {room.id: room.slug for room in places.rooms.values()}
    modes = _all(connection, models.DoorMode)
    closures = _by(_all(connection, models.Closure), "site_id")
    placements = _by(_all(connection, models.Placement), "site_id")
    for row in doors:
        made = rules.door_rules(
            row,
            places.sites[row.site_id],
            rules.rooms_behind(row, doors, slugs),
            modes=[mode for mode in modes if rules.concerns(mode, row)],
            closures=closures[row.site_id],
            placements=placements[row.site_id],
        )
        places.doors[row.slug] = _door(row, made)
        places.door_slugs[row.id] = row.slug


def _door(row: Row[Any], made: DoorRules) -> DoorPlace:
    return DoorPlace(
        row.id,
        row.slug,
        row.site_id,
        row.device_id,
        row.room_id,
        row.from_room_id,
        row.has_contact,
        made,
    )


def _keyholders(connection: Connection, places: Places) -> dict[int, tuple[str, ...]]:
    found: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    for row in _all(connection, models.Keyholder):
        doors = (door.slug for door in places.doors.values() if door.site_id == row.site_id)
        found[row.badge_id] += tuple(doors)
    return dict(found)


def _all(connection: Connection, model: type[models.Base]) -> list[Row[Any]]:
    source: Table = table(model)
    return list(connection.execute(select(source)))


def _by(rows: Iterable[Row[Any]], column: str) -> defaultdict[int, list[Row[Any]]]:
    grouped: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        grouped[getattr(row, column)].append(row)
    return grouped
