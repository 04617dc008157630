"""What the tables of a site must be together: no clashes, no dead ends, nothing unsafe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TypeVar

from kokubus.rights import AntiPassback
from kokubus.site.readers import Hid, Mfrc522
from kokubus.site.sensors import MEASURES, ON_I2C, Sensor
from kokubus.site.shapes import OUTSIDE, Door, Heading, Placement, Room
from kokubus.site.words import Shape

SPI_PINS = {7: "CE1", 8: "CE0", 9: "MISO", 10: "MOSI", 11: "SCLK"}
I2C_PINS = {2: "SDA", 3: "SCL"}
CONSOLE_PINS = (14, 15)
T = TypeVar("T", bound=Shape)
Placed = list[tuple[str, T]]


@dataclass(frozen=True, slots=True)
class Draft:
    """The tables that are right by themselves, each with its key path.

    ``ids`` holds every id as it was written, so that a table refused for another reason does
    not look missing as well.
    """

    heading: Heading | None
    placements: Placed[Placement]
    rooms: Placed[Room]
    sensors: Placed[Sensor]
    doors: Placed[Door]
    counts: Mapping[str, int]
    ids: Mapping[str, list[str]] = field(default_factory=dict)


def contradictions(draft: Draft) -> Iterator[str]:
    """``key path: what is wrong; what to do`` for each."""
    return chain(
        _ids(draft),
        _placements(draft),
        _rooms(draft),
        chain.from_iterable(_sensor(path, sensor, draft) for path, sensor in draft.sensors),
        chain.from_iterable(_door(path, door, draft) for path, door in draft.doors),
        _pins(draft),
    )


def _ids(draft: Draft) -> Iterator[str]:
    site = draft.heading.id if draft.heading else None
    for table, ids in draft.ids.items():
        for name, times in Counter(ids).items():
            if times > 1:
                yield f"{table}.id: {name!r} stands {times} times; give each {table} its own"
            if site and not name.startswith(f"{site}-"):
                yield f"{table}.id: {name!r} may exist elsewhere too; begin it with '{site}-'"
    things: Placed[Door | Sensor] = [*draft.doors, *draft.sensors]
    for path, thing in things:
        if site and not thing.device.startswith(f"{site}-"):
            yield f"{path}.device: {thing.device!r} is not of this site; begin it with '{site}-'"


def _placements(draft: Draft) -> Iterator[str]:
    if draft.counts["placement"] == 0:
        yield "placement: is missing; add [[placement]] to say where the site stands"
    for path, placement in draft.placements:
        if placement.end and placement.end <= placement.start:
            yield f"{path}.until: {placement.end} is not after from; name the day it leaves"
        if (placement.latitude is None) != (placement.longitude is None):
            yield f"{path}.latitude: stands without its other half; give both, or neither"
    if draft.heading and draft.heading.kind == "building":
        yield from _one_forever(draft)
    ordered = sorted(draft.placements, key=lambda pair: pair[1].start)
    for (_, first), (path, second) in pairwise(ordered):
        if first.end is None or first.end > second.start:
            left = first.end or "for ever"
            yield f"{path}.from: {second.start} overlaps {first.municipality} (until {left})"


def _one_forever(draft: Draft) -> Iterator[str]:
    if draft.counts["placement"] > 1:
        yield "placement: a building does not move; keep one, or set site.kind = 'container'"
    for path, placement in draft.placements:
        if placement.end:
            yield f"{path}.until: a building does not move; leave it out, or close the site"


def _rooms(draft: Draft) -> Iterator[str]:
    if draft.counts["room"] == 0:
        yield "room: is missing; add [[room]]"
    if draft.heading and draft.heading.part_of:
        return  # the doors on the way in may hang on other devices
    reached = {OUTSIDE}
    for _ in draft.doors:
        reached |= {door.room for _, door in draft.doors if door.leads_from in reached}
    for path, room in draft.rooms:
        if room.reserve > room.capacity:
            yield f"{path}.reserve: {room.reserve} of {room.capacity} places; keep fewer"
    complete = len(draft.doors) == draft.counts["door"] > 0
    for path, room in draft.rooms:
        if complete and room.id not in reached:
            yield f"{path}.id: no door leads from outside to {room.id!r}; add the missing [[door]]"


def _sensor(path: str, sensor: Sensor, draft: Draft) -> Iterator[str]:
    yield from _known_room(f"{path}.room", sensor.room, draft)
    if sensor.quantity not in MEASURES[sensor.kind]:
        able = " or ".join(MEASURES[sensor.kind])
        yield f"{path}.quantity: a {sensor.kind} measures {able}, not {sensor.quantity}"
    wired = {"pir": ("pin",), "beam": ("pin", "inner_pin")}.get(sensor.kind, ())
    for key in ("pin", "inner_pin"):
        yield from _sensor_pin(f"{path}.{key}", sensor, getattr(sensor, key), wanted=key in wired)
    if sensor.kind == "esphome" and sensor.topic is None:
        yield f"{path}.topic: is missing; name what the node publishes, as node/sensor/co2/state"
    if sensor.kind != "esphome" and sensor.topic is not None:
        yield f"{path}.topic: a {sensor.kind} is no ESPHome node; leave the topic out"
    if sensor.at_most_s > sensor.quiet_s:
        yield f"{path}.at_most_s: {sensor.at_most_s} is more than at_least_s; make it smaller"


def _sensor_pin(path: str, sensor: Sensor, pin: int | None, *, wanted: bool) -> Iterator[str]:
    if wanted and pin is None:
        yield f"{path}: is missing; name the GPIO the {sensor.kind}'s output is wired to"
    if wanted and pin in I2C_PINS:
        yield f"{path}: GPIO {pin} is pulled up on the board; use one from 4 on"
    if not wanted and pin is not None:
        where = "hangs on the I2C bus" if sensor.kind in ON_I2C else "has no such wire"
        yield f"{path}: a {sensor.kind} {where}; leave the pin out"


def _known_room(path: str, room: str, draft: Draft) -> Iterator[str]:
    if room not in draft.ids["room"]:
        known = ", ".join(draft.ids["room"]) or "none yet"
        yield f"{path}: {room!r} is no room here; use one of: {known}"


def _door(path: str, door: Door, draft: Draft) -> Iterator[str]:
    yield from _known_room(f"{path}.room", door.room, draft)
    if door.leads_from != OUTSIDE:
        yield from _known_room(f"{path}.from", door.leads_from, draft)
    if door.leads_from == door.room:
        yield f"{path}.from: the door leads from {door.room!r} to itself; name the other side"
    if door.anti_passback is AntiPassback.DENY and not door.reads_both_sides:
        yield f"{path}.anti_passback: 'deny' needs readers on both sides; add one or use 'flag'"
    if door.exit_unlocks and door.pins.exit is None:
        yield f"{path}.exit_unlocks: there is no exit button; name its GPIO in pins.exit"
    if door.free_passage and not (door.continuous_duty or door.lock == "fail_safe"):
        yield (
            f"{path}.free_passage: a strike not rated for it burns out when held back; set "
            "continuous_duty = true only if its data sheet says 100 % duty, else leave it out"
        )
    if door.pins.exit_pir and door.pins.exit is None:
        yield f"{path}.pins.exit_pir: there is no PIR; name its GPIO in pins.exit"
    if door.pins.exit_pir and door.pins.exit in I2C_PINS:
        yield f"{path}.pins.exit: GPIO {door.pins.exit} is pulled up on the board; use one from 4"
    yield from _lock_pin(f"{path}.pins.lock", door)


def _lock_pin(path: str, door: Door) -> Iterator[str]:
    """While a Pi boots, GPIO 2-8 are pulled up (BCM2835 ARM Peripherals, table 6-31)."""
    lock = door.pins.lock
    if lock in CONSOLE_PINS:
        yield f"{path}: GPIO {lock} is the serial console, the bolt would click at boot; use 17"
    if lock <= 8 and door.pins.lock_active_high:
        yield f"{path}: GPIO {lock} is high while the Pi boots, which opens the door; use 17"


def _pins(draft: Draft) -> Iterator[str]:
    taken: dict[tuple[str, int], str] = dict(_buses(draft))
    for device, pin, path in _wires(draft):
        other = taken.setdefault((device, pin), path)
        if other != path:
            yield f"{path}: GPIO {pin} of {device} is taken by {other}; choose another"
    yield from _shared(draft)


def _shared(draft: Draft) -> Iterator[str]:
    """What two tables name and only one can have, besides pins."""
    taken: dict[tuple[str, str], str] = {}
    for path, device, thing in chain(_ports(draft), _addresses(draft)):
        other = taken.setdefault((device, thing), path)
        if other != path:
            yield f"{path}: {thing} of {device} is taken by {other}"


def _ports(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for path, door in draft.doors:
        for number, reader in enumerate(door.reader, 1):
            here = f"{path}.reader #{number}"
            if isinstance(reader, Mfrc522):
                yield f"{here}.device", door.device, f"SPI 0.{reader.device}"
            elif isinstance(reader, Hid):
                yield f"{here}.path", door.device, reader.path


def _addresses(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for path, sensor in draft.sensors:
        if sensor.kind in ON_I2C:
            address = f" at 0x{sensor.address:02X}" if sensor.kind == "bh1750" else ""
            thing = f"the {sensor.quantity} of the {sensor.kind}{address}"
            yield f"{path}.quantity", sensor.device, thing
        elif sensor.topic is not None:
            yield f"{path}.topic", sensor.device, sensor.topic


def _buses(draft: Draft) -> Iterator[tuple[tuple[str, int], str]]:
    for _, door in draft.doors:
        if any(isinstance(reader, Mfrc522) for reader in door.reader):
            for pin, name in SPI_PINS.items():
                yield (door.device, pin), f"the reader's SPI ({name})"
    for path, sensor in draft.sensors:
        if sensor.kind in ON_I2C:
            for pin, name in I2C_PINS.items():
                yield (sensor.device, pin), f"the I2C bus ({name}) of {path}"


def _wires(draft: Draft) -> Iterator[tuple[str, int, str]]:
    for path, door in draft.doors:
        for key, pin in door.pins.wires():
            yield door.device, pin, f"{path}.pins.{key}"
        for number, reader in enumerate(door.reader, 1):
            for key, pin in reader.wires():
                yield door.device, pin, f"{path}.reader #{number}.{key}"
    for path, sensor in draft.sensors:
        for key, pin in sensor.wires():
            yield sensor.device, pin, f"{path}.{key}"
