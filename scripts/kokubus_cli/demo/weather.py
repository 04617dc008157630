"""The air in the rooms, second by second, shown to the devices' sensors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from random import Random
from time import monotonic
from typing import Any

from kokubus.site import Sensor, Site
from kokubus_edge.simulate.asking import ControlError
from kokubus_edge.simulate.physics import SENSING, Air, Room, breathe, motion_chance, quantity

log = logging.getLogger(__name__)
STEP_S = 1.0
HEIGHT_M3 = 25.0
"""Per place, for a room whose volume nobody measured."""


class Weather(threading.Thread):
    """Lets people breathe; ``tell`` sends a device its sensors' values."""

    def __init__(
        self,
        sites: Iterable[Site],
        people: Callable[[str], int],
        tell: Callable[[str, Mapping[str, Any]], Any],
        speed: float,
    ) -> None:
        super().__init__(name="weather", daemon=True)
        self._sites = tuple(sites)
        self._people = people
        self._tell = tell
        self._speed = speed
        self._ending = threading.Event()
        self._random = Random("weather")  # noqa: S311 - noise, no secrets
        rooms = [room for site in self._sites for room in site.rooms]
        self._rooms = {r.id: Room(r.volume_m3 or HEIGHT_M3 * r.capacity) for r in rooms}
        self._air = {room.id: Air() for room in rooms}

    def run(self) -> None:
        """Until `stop`."""
        before = monotonic()
        while not self._ending.wait(STEP_S):
            now = monotonic()
            self.step((now - before) * self._speed)
            before = now

    def stop(self) -> None:
        """Let the air stand still."""
        self._ending.set()
        self.join()

    def step(self, seconds: float) -> None:
        """Let this much of the members' own time go by, then show it to every sensor."""
        for name, room in self._rooms.items():
            self._air[name] = breathe(self._air[name], room, self._people(name), seconds)
        for site in self._sites:
            for device in site.devices:
                values = {s.id: self._shown(s, seconds) for s in site.sensors_of(device)}
                self._show(device, values)

    def _show(self, device: str, values: Mapping[str, float]) -> None:
        if not values:
            return
        try:
            self._tell(device, {"do": "readings", "values": values})
        except ControlError as error:
            log.warning("%s", error)

    def _shown(self, sensor: Sensor, seconds: float) -> float:
        if sensor.quantity == "pir":
            seen = self._random.random() < motion_chance(self._people(sensor.room), seconds)
            return float(seen)
        value = quantity(self._air[sensor.room], sensor.quantity)
        return SENSING[sensor.quantity].measured(value, self._random.gauss(0, 1))
