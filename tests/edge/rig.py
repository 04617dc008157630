"""A small house on simulated pins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kokubus.messages import Side
from kokubus.site import Door, Site, read_site
from kokubus_edge.hardware import Hardware, Seen
from kokubus_edge.simulate.pins import SimulatedPins

SITE = """
[site]
id = "dorf"
name = "Dorf"
kind = "building"
help_phone = "+49 30 23125 099"
[[placement]]
municipality = "musterdorf"
municipality_name = "Musterdorf"
address = "Musterweg 1"
from = 2025-01-01
[[room]]
id = "dorf-hall"
name = "Saal"
capacity = 8
[[door]]
id = "dorf-front"
name = "Haustür"
room = "dorf-hall"
device = "dorf-1"
pins = { lock = 17, contact = 27, exit = 22, led_red = 5, led_green = 6, buzzer = 13 }
[[door]]
id = "dorf-back"
name = "Hintertür"
room = "dorf-hall"
device = "dorf-1"
pins = { lock = 23, lock_active_high = false }
[[sensor]]
id = "dorf-pir"
room = "dorf-hall"
quantity = "pir"
kind = "pir"
device = "dorf-1"
pin = 4
"""
FRONT, BACK = "dorf-front", "dorf-back"
PATIENCE_S = 60


class Rig:
    """A device on simulated pins, and what its inputs reported."""

    def __init__(self, site: Site, log: Path | None = None) -> None:
        self.doors = {door.id: door for door in site.doors}
        self.sensors = site.sensors
        self.pins = SimulatedPins(site.doors, log, site.sensors)
        self.seen: list[Seen] = []
        self.crossed: list[tuple[str, Side]] = []
        self.hardware = Hardware(
            site.doors,
            site.sensors,
            self.seen.append,
            self.pins,
            lambda sensor, side: self.crossed.append((sensor, side)),
        )

    @property
    def front(self) -> Door:
        return self.doors[FRONT]

    def edges(self, door: str) -> list[bool]:
        return [edge.energised for edge in self.pins.edges if edge.door == door]

    def until(self, condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(PATIENCE_S * 200):
            if condition():
                return
            pause.wait(0.005)
        pytest.fail(f"waited {PATIENCE_S} s in vain")


def dorf() -> Site:
    """Two doors, the second one's relay active low, and a PIR."""
    return read_site(SITE, "dorf.toml")


class FakeRelay:
    """A relay that may refuse."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.states: list[bool] = []
        self.changed = threading.Condition()

    def on(self) -> None:
        self._note(energised=True)

    def off(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("EIO")
        self._note(energised=False)

    def close(self) -> None:
        pass

    def _note(self, *, energised: bool) -> None:
        with self.changed:
            self.states.append(energised)
            self.changed.notify_all()

    def wait_for(self, states: list[bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.states == states, PATIENCE_S)
