"""Readings are thinned before they are numbered: on change, else now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from threading import Event, Thread

import structlog

from kokubus.messages import Instant, Reading
from kokubus.site import Sensor

QUIET_MS = 30_000
"""A state that does not change is said again after this long: silence is no reading."""
CHANGE = {"co2": 20.0, "temperature": 0.2, "humidity": 2.0, "light": 50.0, "pir": 0.5}
Source = Callable[[], Mapping[str, float]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Said:
    at: Instant
    value: float


class Thinner:
    """Decides which values are worth sending."""

    def __init__(self, sensors: Iterable[Sensor]) -> None:
        self._quantity = {sensor.id: sensor.quantity for sensor in sensors}
        self._said: dict[str, _Said] = {}

    def thin(self, values: Mapping[str, float], now: Instant) -> tuple[Reading, ...]:
        """The readings among ``values`` (by sensor id) that changed or are due again."""
        return tuple(
            self._say(sensor, value, now)
            for sensor, value in values.items()
            if sensor in self._quantity and isfinite(value) and self._due(sensor, value, now)
        )

    def _due(self, sensor: str, value: float, now: Instant) -> bool:
        last = self._said.get(sensor)
        if last is None or not last.at <= now < last.at + QUIET_MS:
            return True
        return abs(value - last.value) >= CHANGE[self._quantity[sensor]]

    def _say(self, sensor: str, value: float, now: Instant) -> Reading:
        self._said[sensor] = _Said(now, value)
        return Reading(sensor=sensor, quantity=self._quantity[sensor], at=now, value=value)


class Sampler:
    """Asks the sensors every ``every_s`` seconds, in a thread of its own."""

    def __init__(
        self,
        sensors: Iterable[Sensor],
        sources: Iterable[Source],
        put: Callable[[tuple[Reading, ...]], None],
        *,
        now: Callable[[], Instant],
        every_s: float,
    ) -> None:
        self._thinner = Thinner(sensors)
        self._sources = tuple(sources)
        self._put = put
        self._now = now
        self._every_s = every_s
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="readings", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End it and wait for the thread."""
        self._stopping.set()
        self._thread.join()

    def step(self) -> None:
        """One round; a source that fails is logged and costs only its own readings."""
        values: dict[str, float] = {}
        for source in self._sources:
            try:
                values.update(source())
            except Exception:
                log.exception("sensor_failed")
        if readings := self._thinner.thin(values, self._now()):
            self._put(readings)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.step()
            except Exception:  # the next round may go better, and nobody else would begin it
                log.exception("readings_failed")
