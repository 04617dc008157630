"""Readings are thinned before they are numbered: on change, else now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from threading import Event, Thread

import structlog

from kokubus.messages import Instant, Reading
from kokubus.site import Sensor

Source = Callable[[], Mapping[str, float]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Said:
    at: Instant
    value: float


class Thinner:
    """Decides which values are worth sending."""

    def __init__(self, sensors: Iterable[Sensor]) -> None:
        self._sensors = {sensor.id: sensor for sensor in sensors}
        self._said: dict[str, _Said] = {}

    def thin(self, values: Mapping[str, float], now: Instant) -> tuple[Reading, ...]:
        """The readings among ``values`` (by sensor id) that changed or are due again."""
        return tuple(
            self._say(sensor, value, now)
            for name, value in values.items()
            if (sensor := self._sensors.get(name)) is not None
            and isfinite(value)
            and self._due(sensor, value, now)
        )

    def _due(self, sensor: Sensor, value: float, now: Instant) -> bool:
        last = self._said.get(sensor.id)
        if last is None or now < last.at:
            return True
        if now < last.at + 1_000 * sensor.at_most_s:
            return False
        quiet = now >= last.at + 1_000 * sensor.quiet_s
        return quiet or abs(value - last.value) >= sensor.step

    def _say(self, sensor: Sensor, value: float, now: Instant) -> Reading:
        self._said[sensor.id] = _Said(now, value)
        return Reading(sensor=sensor.id, quantity=sensor.quantity, at=now, value=value)


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
