"""Sensors on the I2C bus of the header: SCD41, SCD30 and BH1750.

Sensirion's own drivers speak to the two CO2 sensors; the light sensor knows two commands and is
asked over their bus. Everything here may raise `OSError` or a driver's own error: the sampler
counts it as silence and goes on.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from kokubus.site import Sensor
from kokubus.site.sensors import ON_I2C
from kokubus_edge.readings import Source

DEVICE = "/dev/i2c-1"
SCD41, SCD30 = 0x62, 0x61
SCD30_EVERY_S = 5
CONTINUOUSLY_HIGH_RES = b"\x10"
"""BH1750 data sheet, instruction set: measure again and again, 1 lx, 120 ms."""
COUNTS_PER_LUX = 1.2
Values = Mapping[str, float]


class Chip(Protocol):
    """One chip on the bus."""

    def start(self) -> None:
        """Let it measure."""

    def measure(self) -> Values:
        """The newest values by quantity; empty if there are none since it was last asked."""


class Scd41:
    """CO2 in ppm, deg C and % every 5 s (Sensirion SCD4x data sheet, section 3.5)."""

    def __init__(self, bus: Any) -> None:
        self._device = _driver("scd4x", "Scd4xDevice")(_channel(bus, SCD41))

    def start(self) -> None:
        """It may still be measuring for an agent that was killed; only a stopped one starts."""
        self._device.stop_periodic_measurement()
        self._device.start_periodic_measurement()

    def measure(self) -> Values:
        """See `Chip.measure`."""
        if not self._device.get_data_ready_status():
            return {}
        return _air(*(signal.value for signal in self._device.read_measurement()))


class Scd30:
    """CO2 in ppm, deg C and % (Sensirion SCD30 interface description, section 1.4)."""

    def __init__(self, bus: Any) -> None:
        self._device = _driver("scd30", "Scd30Device")(_channel(bus, SCD30))

    def start(self) -> None:
        """No ambient pressure is given: 0 switches its compensation off."""
        self._device.set_measurement_interval(SCD30_EVERY_S)
        self._device.start_periodic_measurement(0)

    def measure(self) -> Values:
        """See `Chip.measure`."""
        if not self._device.get_data_ready():
            return {}
        return _air(*self._device.read_measurement_data())


class Bh1750:
    """Light in lux (ROHM BH1750FVI data sheet, measurement procedure)."""

    def __init__(self, bus: Any, address: int) -> None:
        self._bus, self._address = bus, address

    def start(self) -> None:
        """Power comes with the first measurement."""
        self._ask(CONTINUOUSLY_HIGH_RES, None)

    def measure(self) -> Values:
        """See `Chip.measure`."""
        counts = int.from_bytes(self._ask(None, 2), "big")
        return {"light": counts / COUNTS_PER_LUX}

    def _ask(self, command: bytes | None, length: int | None) -> bytes:
        status, error, answer = self._bus.transceive(self._address, command, length, 0.0, 0.1)
        if status != self._bus.STATUS_OK or len(answer) != (length or 0):
            raise error or OSError(f"the BH1750 at 0x{self._address:02X} gives no answer")
        return bytes(answer)


class ChipSource:
    """A chip as a source of readings; started anew after each failure."""

    def __init__(self, make: Callable[[], Chip], sensors: Mapping[str, str]) -> None:
        """``sensors``: ids by quantity."""
        self._make, self._sensors = make, sensors
        self._chip: Chip | None = None

    def __call__(self) -> Values:
        chip, self._chip = self._chip, None  # forgotten, unless all goes well
        if chip is None:
            chip = self._make()
            chip.start()
        values = chip.measure()
        self._chip = chip
        return {
            self._sensors[name]: value for name, value in values.items() if name in self._sensors
        }


def chip_sources(sensors: tuple[Sensor, ...], open_bus: Callable[[], Any]) -> list[Source]:
    """A source for each chip that the site names; the bus is opened when first needed."""
    bus = _Bus(open_bus)
    chips: dict[tuple[str, int], dict[str, str]] = {}
    for sensor in sensors:
        if sensor.kind in ON_I2C:
            chips.setdefault((sensor.kind, sensor.address), {})[sensor.quantity] = sensor.id
    return [
        Source(frozenset(ids.values()), ChipSource(partial(_chip, bus, kind, address), ids))
        for (kind, address), ids in chips.items()
    ]


def open_linux_bus(device: str = DEVICE) -> Any:
    """The bus of the header; OSError says why not."""
    module = importlib.import_module("sensirion_i2c_driver.linux_i2c_transceiver")
    try:
        return module.LinuxI2cTransceiver(device)
    except OSError as error:
        raise OSError(
            f"{device} cannot be opened ({error.strerror}): switch I2C on (raspi-config) and let "
            "the agent's user into the group i2c"
        ) from error


class _Bus:
    """The bus, once somebody needs it; several chips share it."""

    def __init__(self, open_bus: Callable[[], Any]) -> None:
        self._open = open_bus
        self._bus: Any = None

    def get(self) -> Any:
        if self._bus is None:
            self._bus = self._open()
        return self._bus


def _chip(bus: _Bus, kind: str, address: int) -> Chip:
    if kind == "bh1750":
        return Bh1750(bus.get(), address)
    return Scd41(bus.get()) if kind == "scd41" else Scd30(bus.get())


def _air(co2: float, celsius: float, humidity: float) -> Values:
    return {"co2": float(co2), "temperature": float(celsius), "humidity": float(humidity)}


def _driver(name: str, device: str) -> Any:
    """Loaded only where such a sensor is: a door without one starts sooner and is smaller."""
    return getattr(importlib.import_module(f"sensirion_i2c_{name}.device"), device)


def _channel(bus: Any, address: int) -> Any:
    """CRC-8 with polynomial 0x31 from 0xFF guards every word (SCD4x data sheet, section 3.12)."""
    driver = importlib.import_module("sensirion_i2c_driver")
    adapter = importlib.import_module("sensirion_driver_adapters.i2c_adapter.i2c_channel")
    crc = importlib.import_module("sensirion_i2c_driver.crc_calculator").CrcCalculator
    connection = driver.I2cConnection(bus)
    return adapter.I2cChannel(connection, slave_address=address, crc=crc(8, 0x31, 0xFF, 0x00))
