"""The MFRC522 through spidev and gpiozero: for a Raspberry Pi 5, where RPi.GPIO fails.

SPI mode 0, most significant bit first, 10 MHz at most (NXP MFRC522 data sheet, section 8.1.2);
1 MHz also crosses the cable of a reader that sits outside.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from gpiozero import OutputDevice

from kokubus_edge.mfrc522 import ReaderDownError, Register

SPEED_HZ = 1_000_000


class SpidevBus:
    """A `RegisterBus` over one spidev device; the reset line is a pin of gpiozero's."""

    def __init__(self, spi: Any, reset: Any) -> None:
        self._spi = spi
        self._reset = reset

    @classmethod
    def open(cls, device: int, *, reset_pin: int, factory: Any) -> SpidevBus:
        """Open the chip at SPI 0.`device`; raises `ReaderDownError`."""
        reset = None
        try:
            reset = OutputDevice(reset_pin, initial_value=True, pin_factory=factory)
            return cls(_opened(device), reset)
        except ImportError as error:
            reset_back(reset)
            raise ReaderDownError(
                "the package spidev is not installed: install kokubus[edge,pi]"
            ) from error
        except (OSError, RuntimeError, ValueError) as error:
            reset_back(reset)
            raise ReaderDownError(
                f"the reader at SPI 0.{device} cannot be opened ({error}): "
                "switch SPI on (raspi-config) and let the agent's user into the group spi"
            ) from error

    def read(self, register: int) -> int:
        return self.read_many((register,))[0]

    def read_many(self, registers: Sequence[int]) -> Sequence[int]:
        # while one value comes out, the next address goes in (data sheet 8.1.2.1)
        addresses = [register << 1 | 0x80 for register in registers]
        values: list[int] = self._spi.xfer2([*addresses, 0])
        return values[1:]

    def write(self, register: int, value: int) -> None:
        self._spi.xfer2([register << 1, value])

    def write_fifo(self, data: bytes) -> None:
        self._spi.xfer2([Register.FIFO_DATA << 1, *data])

    def close(self) -> None:
        self._spi.close()
        reset_back(self._reset)


def reset_back(reset: Any) -> None:
    """Give the reset pin back, if it was taken; the chip then rests."""
    if reset is not None:
        reset.close()


def _opened(device: int) -> Any:
    spi = importlib.import_module("spidev").SpiDev()
    spi.open(0, device)
    spi.max_speed_hz = SPEED_HZ
    spi.mode = 0
    return spi
