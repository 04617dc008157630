"""An I2C bus with an SCD41, an SCD30 and a BH1750 on it, as a driver sees it.

In place of Sensirion's `LinuxI2cTransceiver`. Commands and words: the sensors' data sheets
(SCD4x 3.5 to 3.6, SCD30 interface description 1.4, BH1750FVI instruction set).
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from typing import Any


def crc8(word: bytes) -> int:
    """Polynomial 0x31 from 0xFF: 0xBEEF gives 0x92 (SCD4x data sheet, 3.12)."""
    crc = 0xFF
    for byte in word:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def words(*values: int) -> bytes:
    """16-bit words, each with its check byte."""
    packed = [struct.pack(">H", value) for value in values]
    return b"".join(word + bytes((crc8(word),)) for word in packed)


@dataclass
class Scd41Chip:
    co2: int = 612
    celsius: float = 21.5
    humidity: float = 44.0
    ready: bool = True
    measuring: bool = False
    broken_crc: bool = False
    log: list[int] = field(default_factory=list)

    def hear(self, data: bytes) -> bytes:
        command = int.from_bytes(data[:2], "big")
        self.log.append(command)
        if command == 0x21B1:
            if self.measuring:
                raise OSError(errno.EREMOTEIO, "Remote I/O error")
            self.measuring = True
        elif command == 0x3F86:
            self.measuring = False
        elif command == 0xE4B8:
            return words(0x8006 if self.ready and self.measuring else 0x8000)
        elif command == 0xEC05:
            celsius = round((self.celsius + 45) * 65535 / 175)
            answer = words(self.co2, celsius, round(self.humidity * 65535 / 100))
            return answer[:-1] + bytes((answer[-1] ^ 1,)) if self.broken_crc else answer
        return b""


@dataclass
class Scd30Chip:
    co2: float = 700.0
    celsius: float = 20.0
    humidity: float = 50.0
    interval: int = 2
    measuring: bool = False

    def hear(self, data: bytes) -> bytes:
        command = int.from_bytes(data[:2], "big")
        if command == 0x0010:
            self.measuring = True
        elif command == 0x4600 and len(data) > 2:
            self.interval = int.from_bytes(data[2:4], "big")
        elif command == 0x0202:
            return words(int(self.measuring))
        elif command == 0x0300:
            floats = (self.co2, self.celsius, self.humidity)
            return words(*struct.unpack(">6H", struct.pack(">3f", *floats)))
        return b""


@dataclass
class Bh1750Chip:
    lux: float = 240.0
    measuring: bool = False

    def hear(self, data: bytes) -> bytes:
        self.measuring |= data == b"\x10"
        return round(self.lux * 1.2).to_bytes(2, "big") if self.measuring else b"\0\0"


class FakeBus:
    """A transceiver of Sensirion's API version 1; ``chips`` by ``x`` and address in hex."""

    API_VERSION = 1
    STATUS_OK, STATUS_NACK = 0, 2
    description, channel_count = "fake", None

    def __init__(self, **chips: Any) -> None:
        self.chips = {int(address.lstrip("x"), 16): chip for address, chip in chips.items()}
        self._answers: dict[int, bytes] = {}

    def transceive(
        self,
        slave_address: int,
        tx_data: bytes | None,
        rx_length: int | None,
        read_delay: float,
        timeout: float,
    ) -> tuple[int, Exception | None, bytes]:
        del read_delay, timeout
        chip = self.chips.get(slave_address)
        if chip is None:
            return self.STATUS_NACK, OSError(errno.EREMOTEIO, "Remote I/O error"), b""
        try:
            if tx_data is not None:
                self._answers[slave_address] = chip.hear(bytes(tx_data))
            elif isinstance(chip, Bh1750Chip):
                self._answers[slave_address] = chip.hear(b"")
        except OSError as error:
            return self.STATUS_NACK, error, b""
        answer = self._answers.get(slave_address, b"") if rx_length is not None else b""
        return self.STATUS_OK, None, answer[: rx_length or 0]
