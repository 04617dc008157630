"""The people and the air around a simulated device: badges at an emulated chip, hands on doors.

The agent is the real one. Where ``simulated = true`` it calls `attach` with its pins before it
makes reader and hardware, passes every fact it records to `Simulation.overhear`, and reads its
bus sensors by `Simulation.measured`. Nothing else in it knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kokubus.errors import KokubusError
from kokubus.messages import BadgeTapped, Enforced, Fact, Side
from kokubus.site import Door, Mfrc522, Sensor, Wiegand
from kokubus_edge import emulator
from kokubus_edge.emulator import Card, Field, Mfrc522Chip
from kokubus_edge.inputs import SETTLE_MS
from kokubus_edge.reader import GONE_MS
from kokubus_edge.settings import Settings
from kokubus_edge.simulate import pins as wires
from kokubus_edge.wiegand import KEYS

HAND_S = 0.3
"""From the bolt's click until the leaf moves."""
WALK_S = 1.2
SHUT_S = 3 * SETTLE_MS / 1000
"""A leaf that has closed stays so for a moment: its contact is no spark."""
SEEN_S = 3.0
"""A reader that polls 16 times a second has long seen a badge by then."""
SLACK_S = 3.0
KEY_S = 0.15
"""Between two keys of somebody who types fast."""
AWAY_S = 1.5 * GONE_MS / 1000


class SimulationError(KokubusError):
    """The simulated person cannot do that; the sentence says what is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a door did about a badge.

    ``ms``: from the badge in the field to bolt or red light. ``opened``: granted, and the bolt is
    drawn; a denied badge at a door still drawn for somebody else is not ``opened``.
    """

    door: str
    tap: str
    granted: bool
    reason: str
    by: str
    ms: int
    opened: bool


class Simulation:
    """What surrounds one simulated device; its methods may be called from any thread.

    A door has one queue: who comes while another is tapping or walking through waits. ``pins``
    are simulated ones (`kokubus_edge.simulate.pins`), ``fields`` those of the emulated chips.
    """

    def __init__(
        self,
        settings: Settings,
        pins: Any,
        fields: Mapping[tuple[str, Side], Field],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self._pins = pins
        self._fields = fields
        self._sleep = sleep
        self._doors = {door.id: door for door in settings.doors}
        self._sensors = {sensor.id: sensor for sensor in settings.sensors}
        self._queues = {door: threading.Lock() for door in self._doors}
        self._values: dict[str, float] = {}
        self._open: set[str] = set()
        self._ear = _Ear()

    # -- what the agent asks and tells

    def overhear(self, fact: Fact) -> None:
        """A fact the agent records, as it is recorded; never waits."""
        self._ear.hear(fact)

    def measured(self) -> dict[str, float]:
        """What the sensors on the I2C bus show now, by sensor id; those never set are silent."""
        return dict(self._values)

    # -- what people do

    @contextmanager
    def at(self, door: str) -> Iterator[Door]:
        """Stand at a door, alone; SimulationError if this device has no such door."""
        if door not in self._doors:
            known = ", ".join(self._doors) or "none"
            raise SimulationError(f"{self.settings.device} has no door {door!r}; it has: {known}")
        with self._queues[door]:
            yield self._doors[door]

    def tap(self, door: Door, uid: str, side: Side = Side.IN) -> Answer:
        """Hold a badge to the reader until the door has done something about it.

        ``uid`` in hex. Stand `at` the door first. SimulationError if the door does nothing.
        """
        card = _card(uid)
        field = self._field(door, side)
        self._ear.forget(door.id)
        began = time.monotonic()
        field.put(card)
        try:
            enforced = self._ear.answer(door.id, SEEN_S, door.deadline_ms / 1000 + SLACK_S)
        finally:
            field.remove(card)
        took = round((time.monotonic() - began) * 1000)
        return Answer(
            door=door.id,
            tap=enforced.tap,
            granted=enforced.granted,
            reason=enforced.reason,
            by=enforced.by,
            ms=took,
            opened=enforced.granted and wires.unlocked(self._pins, door),
        )

    def type(self, door: Door, keys: str, side: Side = Side.IN) -> None:
        """Press keys at a door's keypad, one after the other; SimulationError if it has none."""
        readers = (one for one in door.reader if isinstance(one, Wiegand) and one.side is side)
        keypad = next(readers, None)
        if keypad is None:
            raise SimulationError(f"{door.id} has no keypad on side {side!s}")
        for key in keys:
            if key not in KEYS:
                raise SimulationError("a keypad has the keys 0 to 9, * and #")
            wires.press_key(self._pins, keypad, KEYS.index(key))
            self._sleep(KEY_S)

    def walk_through(self, door: Door, seconds: float = WALK_S) -> None:
        """Open the door, walk, let it fall shut ``seconds`` later."""
        self._sleep(HAND_S)
        with self._standing_open(door):
            self._sleep(seconds)

    def leave(self, door: Door, seconds: float = WALK_S) -> None:
        """Leave by the handle, which also is the request-to-exit."""
        wires.press_exit(self._pins, door)
        self._sleep(HAND_S)
        try:
            with self._standing_open(door):
                self._sleep(seconds)
        finally:
            wires.release_exit(self._pins, door)

    def force(self, door: Door, seconds: float = WALK_S) -> None:
        """Open the door without a right, as with a crowbar."""
        with self._standing_open(door):
            self._sleep(seconds)

    def step_away(self) -> None:
        """Long enough off the reader for the same badge to count as a new one."""
        self._sleep(AWAY_S)

    # -- what the air does

    def set_reading(self, sensor: str, value: float) -> None:
        """What a sensor shows from now on; a PIR sees motion while ``value`` is above 0."""
        known = self._sensors.get(sensor)
        if known is None:
            names = ", ".join(self._sensors) or "none"
            said = f"{self.settings.device} has no sensor {sensor!r}; it has: {names}"
            raise SimulationError(said)
        self._set(known, value)

    def state(self) -> dict[str, Any]:
        """Doors and sensors as somebody who stands there sees them."""
        doors = {
            door.id: {
                "name": door.name,
                "unlocked": wires.unlocked(self._pins, door),
                "open": door.id in self._open,
            }
            for door in self._doors.values()
        }
        return {"device": self.settings.device, "doors": doors, "sensors": dict(self._values)}

    def _set(self, sensor: Sensor, value: float) -> None:
        if sensor.kind == "pir":
            wires.move(self._pins, sensor, moving=value > 0)
        else:
            self._values[sensor.id] = value

    def _field(self, door: Door, side: Side) -> Field:
        field = self._fields.get((door.id, side))
        if field is None:
            raise SimulationError(f"{door.id} has no reader on side {side!s}")
        return field

    @contextmanager
    def _standing_open(self, door: Door) -> Iterator[None]:
        wires.open_door(self._pins, door)
        self._open.add(door.id)
        try:
            yield
        finally:
            self._open.discard(door.id)
            wires.close_door(self._pins, door)
            self._sleep(SHUT_S)


def attach(settings: Settings, pins: Any) -> Simulation:
    """Put emulated reader chips where the device's readers would be; ``pins`` are simulated ones.

    To be called before anything opens SPI. Raises `emulator.EmulatorError` where the real
    modules are loaded, and `SimulationError` if the settings do not say ``simulated = true``.
    """
    if not settings.simulated:
        raise SimulationError("agent.toml: simulated = false; a real door is not to be simulated")
    chips: dict[int, Mfrc522Chip] = {}
    fields: dict[tuple[str, Side], Field] = {}
    for door in settings.doors:
        for reader in (one for one in door.reader if isinstance(one, Mfrc522)):
            chips[reader.device] = Mfrc522Chip(clock=time.monotonic)
            fields[door.id, reader.side] = chips[reader.device].field
    slots = range(max(chips, default=-1) + 1)
    emulator.install(*(chips.get(slot) or Mfrc522Chip() for slot in slots))
    return Simulation(settings, pins, fields)


class _Ear:
    """Taps and what became of them, by door; the newest only."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._tapped: dict[str, str] = {}
        self._enforced: dict[str, Enforced] = {}

    def hear(self, fact: Fact) -> None:
        with self._news:
            if isinstance(fact, BadgeTapped):
                self._tapped[fact.door] = fact.id
            elif isinstance(fact, Enforced):
                self._enforced[fact.tap] = fact
            self._news.notify_all()

    def forget(self, door: str) -> None:
        with self._news:
            tap = self._tapped.pop(door, "")
            self._enforced.pop(tap, None)

    def answer(self, door: str, seen_s: float, decided_s: float) -> Enforced:
        with self._news:
            if not self._news.wait_for(lambda: door in self._tapped, seen_s):
                raise SimulationError(f"{door}: the reader did not see the badge; is it at work?")
            tap = self._tapped[door]
            if not self._news.wait_for(lambda: tap in self._enforced, decided_s):
                raise SimulationError(f"{door}: saw the badge and did nothing; see its log")
            return self._enforced[tap]


def _card(uid: str) -> Card:
    try:
        return Card(uid)
    except (ValueError, KeyError) as error:
        raise SimulationError("a badge's number is 8, 14 or 20 hex digits") from error
