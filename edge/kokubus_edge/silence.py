"""Which sensors have stopped to say anything: a sensor that stops is an alarm, not a calm room."""

from __future__ import annotations

from collections.abc import Iterable

from kokubus.site import Sensor
from kokubus_edge.health import Health


class Silence:
    """When each sensor was last heard, in monotonic ms; ``since`` somebody listens."""

    def __init__(self, sensors: Iterable[Sensor], since: int) -> None:
        self._limits = {sensor.id: 1_000 * sensor.silent_s for sensor in sensors}
        self._since = since
        self._heard: dict[str, int] = {}
        self._why: dict[str, str] = {}
        self._told: dict[str, Health] = {}

    def heard(self, sensor: str, now: int) -> None:
        """A sound value came."""
        if sensor in self._limits:
            self._heard[sensor] = now
            self._why.pop(sensor, None)

    def failed(self, sensor: str, why: str) -> None:
        """It was asked in vain; the reason is told if it stays silent."""
        self._why[sensor] = why

    def health(self, now: int) -> dict[str, Health]:
        """How every sensor is."""
        return {sensor: self._of(sensor, now) for sensor in self._limits}

    def news(self, now: int) -> dict[str, Health]:
        """Those that have begun or stopped to speak since this was last asked."""
        fresh = {
            sensor: health
            for sensor, health in self.health(now).items()
            if self._is_news(sensor, health)
        }
        self._told |= fresh
        return fresh

    def _is_news(self, sensor: str, health: Health) -> bool:
        told = self._told.get(sensor)
        if told is None:
            return sensor in self._heard or not health.ok
        return told.ok != health.ok

    def _of(self, sensor: str, now: int) -> Health:
        silent_ms = now - self._heard.get(sensor, self._since)
        if silent_ms < self._limits[sensor]:
            return Health(ok=True)
        why = self._why.get(sensor, "check its power and its cable")
        return Health(ok=False, problem=f"no sound value for {silent_ms // 60_000} min ({why})")
