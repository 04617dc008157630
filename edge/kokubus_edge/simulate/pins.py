"""Pins without a Pi: what is wired to them, and a record of what the relays did.

gpiozero's own mock factory, with two things added: an input keeps the level that was wired to
it, whatever pull-up is set later; and each change of a lock relay is noted, in memory and in a
file that outlives a killed agent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, monotonic_ns, time_ns
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from kokubus.site import Door, Sensor, Wiegand


@dataclass(frozen=True, slots=True)
class RelayEdge:
    """A relay changed. ``at`` in milliseconds since 1970 UTC, ``mono`` in monotonic ones."""

    door: str
    energised: bool
    at: int
    mono: int


class SimulatedPin(MockPin):  # type: ignore[misc]  # gpiozero publishes no types
    """A pin that something is wired to."""

    wired: bool | None = None
    _stamp: float | None = None

    def wire(self, high: bool, at: float | None = None) -> None:
        """Drive the pin from outside, from now on; ``at`` is what the kernel's stamp says."""
        self.wired, self._stamp = high, at
        if self.function == "input":
            (self.drive_high if high else self.drive_low)()

    def output_with_state(self, state: bool) -> None:
        # in one step, as the pins of a real door do it (see quiet_pins)
        self._function, self._state = "output", bool(state)
        self.factory.begin(self._number, bool(state))

    def _call_when_changed(self) -> None:
        if self._stamp is not None:
            self._last_change = self._stamp
        super()._call_when_changed()

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self.wired is not None:
            self.wire(self.wired)

    def _change_state(self, value: bool) -> bool:
        changed: bool = super()._change_state(value)
        if changed and self._function == "output":
            self.factory.note(self._number, bool(value))
        return changed


class SimulatedPins(MockFactory):  # type: ignore[misc]  # gpiozero publishes no types
    """A pin factory: every door stands closed, every PIR sees nobody, every reader has power.

    ``edges`` holds what the lock relays did since it was made; ``log``, if given, gets each as a
    line of JSON as well.
    """

    def __init__(
        self, doors: Sequence[Door], log: Path | None = None, sensors: Sequence[Sensor] = ()
    ) -> None:
        super().__init__(pin_class=SimulatedPin)
        self._relays = {door.pins.lock: door for door in doors}
        self._log = log
        self.edges: list[RelayEdge] = []
        for sensor in sensors:
            if sensor.kind == "beam":
                for _, pin in sensor.wires():
                    _wire(self, pin, high=False)
        for door in doors:
            close_door(self, door)
            release_exit(self, door)
            for reader in door.reader:
                if isinstance(reader, Wiegand):
                    rest_wires(self, reader)

    def begin(self, pin: int, high: bool) -> None:
        """A pin has become an output; a relay that comes up energised has moved."""
        door = self._relays.get(pin)
        if door is not None and high == door.pins.lock_active_high:
            self.note(pin, high)

    def note(self, pin: int, high: bool) -> None:
        """A pin that is an output has changed."""
        door = self._relays.get(pin)
        if door is None:
            return
        edge = RelayEdge(
            door=door.id,
            energised=high == door.pins.lock_active_high,
            at=time_ns() // 1_000_000,
            mono=monotonic_ns() // 1_000_000,
        )
        self.edges.append(edge)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(edge)) + "\n")


def relay_edges(log: Path) -> list[RelayEdge]:
    """What a log says; empty if there is none."""
    if not log.exists():
        return []
    return [RelayEdge(**json.loads(line)) for line in log.read_text("utf-8").splitlines()]


def open_door(pins: Any, door: Door) -> None:
    """The leaf opens: its contact no longer closes to ground."""
    _wire(pins, door.pins.contact, high=True)


def close_door(pins: Any, door: Door) -> None:
    """The leaf closes, and so is the box whose lid is watched."""
    _wire(pins, door.pins.contact, high=False)
    _wire(pins, door.pins.tamper, high=False)


def press_exit(pins: Any, door: Door) -> None:
    """Somebody inside presses request-to-exit, and keeps pressing."""
    _wire(pins, door.pins.exit, high=door.pins.exit_pir)


def release_exit(pins: Any, door: Door) -> None:
    """The request-to-exit button is let go."""
    _wire(pins, door.pins.exit, high=not door.pins.exit_pir)


def rest_wires(pins: Any, reader: Wiegand) -> None:
    """A Wiegand reader with power holds its wires high."""
    for _, pin in reader.wires():
        _wire(pins, pin, high=True)


def press_key(pins: Any, reader: Wiegand, key: int) -> None:
    """A Wiegand keypad sends the four bits of a key: 0 to 9, 10 for ``*``, 11 for ``#``."""
    at = monotonic()  # a keypad is held up by nothing, whatever else this machine does
    for place in (3, 2, 1, 0):
        pin = pins.pin(reader.data1 if key >> place & 1 else reader.data0)
        pin.wire(high=False, at=at)
        pin.wire(high=True, at=at)


def move(pins: Any, sensor: Sensor, *, moving: bool) -> None:
    """A PIR's output rises while somebody moves."""
    _wire(pins, sensor.pin, high=moving)


def unlocked(pins: Any, door: Door) -> bool:
    """Whether the relay is energised, seen from outside."""
    pin = pins.pin(door.pins.lock)
    return bool(pin.function == "output" and pin.state == door.pins.lock_active_high)


def _wire(pins: Any, pin: int | None, *, high: bool) -> None:
    if pin is not None:
        pins.pin(pin).wire(high)
