"""All sensors of a device behind one door to the inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from kokubus.messages import Reading, Side
from kokubus_edge.clock import Timepiece
from kokubus_edge.esphome import EspHome
from kokubus_edge.hardware import Hardware
from kokubus_edge.health import Health
from kokubus_edge.i2c import chip_sources, open_linux_bus
from kokubus_edge.inbox import Readings, SensorTrouble
from kokubus_edge.readings import Sampler, Source
from kokubus_edge.settings import Settings

Put = Callable[[object], None]
Measured = Callable[[], Mapping[str, float]]


def tell_crossing(put: Put, clock: Timepiece, sensor: str, side: Side) -> None:
    """Each crossing is said at once: a badge at the same time is the same person."""
    way = 1.0 if side is Side.IN else -1.0
    put(Readings((Reading(sensor=sensor, quantity="beam", at=clock.now(), value=way),)))


class Sensing:
    """The sampler and what it asks: pins, the I2C bus, the site's ESPHome nodes.

    ``measured`` stands in for the last two where the air is simulated.
    """

    def __init__(
        self,
        settings: Settings,
        hardware: Hardware,
        put: Put,
        clock: Timepiece,
        measured: Measured | None = None,
    ) -> None:
        self._settings, self._put, self._clock = settings, put, clock
        self._stack = ExitStack()
        self._sampler = Sampler(
            settings.sensors,
            [*_on_pins(hardware), *self._elsewhere(measured)],
            lambda readings: put(Readings(readings)),
            lambda sensor, health: put(SensorTrouble(sensor, health)),
            clock=clock,
            every_s=settings.readings_every_s,
        )

    def start(self) -> None:
        """Begin to sample."""
        self._sampler.start()

    def close(self) -> None:
        """End it and wait for its threads."""
        self._sampler.stop()
        self._stack.close()

    def health(self) -> Mapping[str, Health]:
        """How each sensor is that can be missed, by its id; from any thread."""
        return self._sampler.health()

    def _elsewhere(self, measured: Measured | None) -> list[Source]:
        if measured is not None:
            return [Source(frozenset(), measured)]
        return chip_sources(self._settings.sensors, open_linux_bus) + self._nodes()

    def _nodes(self) -> list[Source]:
        sensors = [sensor for sensor in self._settings.sensors if sensor.kind == "esphome"]
        if not sensors:
            return []
        nodes = EspHome(
            self._settings.local,
            sensors,
            client_id=f"kokubus-{self._settings.device}",
            crossed=partial(tell_crossing, self._put, self._clock),
        )
        self._stack.callback(nodes.close)
        nodes.start()
        return [Source(nodes.sensors, nodes.read)]


def _on_pins(hardware: Hardware) -> list[Source]:
    """A PIR cannot be missed: a quiet one is a quiet room."""
    beams = [Source(frozenset({name}), pair.at_work) for name, pair in hardware.beams.items()]
    return [Source(frozenset(), partial(_motion, hardware)), *beams]


def _motion(hardware: Hardware) -> Mapping[str, float]:
    return {sensor: float(fired) for sensor, fired in hardware.motion().items()}
