"""Readings are thinned before they are numbered: on change, else now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from threading import Event, Thread

import structlog

from kokubus.messages import Instant, Reading
from kokubus.site import Sensor
from kokubus_edge.clock import Timepiece
from kokubus_edge.health import Health
from kokubus_edge.silence import Silence

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


@dataclass(frozen=True, slots=True)
class Source:
    """Where readings come from: asked for the newest values by sensor id, it may raise anything.

    ``sensors`` are those that are missed when it gives none.
    """

    sensors: frozenset[str]
    read: Callable[[], Mapping[str, float]]


class Sampler:
    """Asks the sensors every ``every_s`` seconds, in a thread of its own.

    ``tell`` hears of each sensor that has stopped to speak, or speaks again. ``clock`` is wall
    time and monotonic time, in ms.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor],
        sources: Iterable[Source],
        put: Callable[[tuple[Reading, ...]], None],
        tell: Callable[[str, Health], None],
        *,
        clock: Timepiece,
        every_s: float,
    ) -> None:
        self._sources = tuple(sources)
        missed = frozenset[str]().union(*(source.sensors for source in self._sources))
        self._sensors = {sensor.id: sensor for sensor in sensors}
        self._thinner = Thinner(sensors)
        watched = [sensor for sensor in sensors if sensor.id in missed]
        self._silence = Silence(watched, clock.mono())
        self._put, self._tell = put, tell
        self._clock = clock
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

    def health(self) -> Mapping[str, Health]:
        """How each sensor is that can be missed, by its id; from any thread."""
        return self._silence.health(self._clock.mono())

    def step(self) -> None:
        """One round; a source that fails is logged and costs only its own readings."""
        values: dict[str, float] = {}
        for source in self._sources:
            values.update(self._asked(source))
        for sensor, health in self._silence.news(self._clock.mono()).items():
            self._tell(sensor, health)
        told = {name: value for name, value in values.items() if not self._is_beam(name)}
        if readings := self._thinner.thin(told, self._clock.now()):
            self._put(readings)

    def _asked(self, source: Source) -> dict[str, float]:
        try:
            sound = {
                name: value for name, value in source.read().items() if self._sound(name, value)
            }
        except Exception as error:
            log.warning("sensor_failed", sensors=sorted(source.sensors), error=repr(error))
            for sensor in source.sensors:
                self._silence.failed(sensor, str(error) or type(error).__name__)
            return {}
        for sensor in sound:
            self._silence.heard(sensor, self._clock.mono())
        return sound

    def _is_beam(self, name: str) -> bool:
        """Crossings are told as they happen; asked, a beam only says that it is at work."""
        return self._sensors[name].quantity == "beam"

    def _sound(self, name: str, value: float) -> bool:
        sensor = self._sensors.get(name)
        if sensor is None or (isfinite(value) and sensor.sound(value)):
            return sensor is not None
        self._silence.failed(name, f"it says {value:g}, which cannot be")
        return False

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.step()
            except Exception:  # the next round may go better, and nobody else would begin it
                log.exception("readings_failed")
