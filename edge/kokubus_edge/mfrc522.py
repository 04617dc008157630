"""The MFRC522 reader chip: its registers, one exchange over the air, and its SPI driver.

Names and meanings of the registers: NXP MFRC522 data sheet, section 9. The `mfrc522` package from
PyPI serves as register driver only: its UID functions cut seven-byte UIDs to three bytes, and its
`Close` resets every pin of the process, the lock relay's too.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from typing import Any, Protocol

from kokubus.errors import ReaderError
from kokubus_edge.iso14443 import FrameError, Reply


class Register(IntEnum):
    """Addresses of the registers in use."""

    COMMAND = 0x01
    COM_IRQ = 0x04
    DIV_IRQ = 0x05
    ERROR = 0x06
    STATUS1 = 0x07
    STATUS2 = 0x08
    FIFO_DATA = 0x09
    FIFO_LEVEL = 0x0A
    CONTROL = 0x0C
    BIT_FRAMING = 0x0D
    COLL = 0x0E
    MODE = 0x11
    TX_MODE = 0x12
    RX_MODE = 0x13
    TX_CONTROL = 0x14
    TX_ASK = 0x15
    CRC_RESULT_HIGH = 0x21
    CRC_RESULT_LOW = 0x22
    RF_CFG = 0x26
    T_MODE = 0x2A
    T_PRESCALER = 0x2B
    T_RELOAD_HIGH = 0x2C
    T_RELOAD_LOW = 0x2D
    VERSION = 0x37


class Command(IntEnum):
    """What `Register.COMMAND` can be told."""

    IDLE = 0x00
    CALC_CRC = 0x03
    TRANSCEIVE = 0x0C
    MF_AUTHENT = 0x0E
    SOFT_RESET = 0x0F


POWER_DOWN = 0x10  # COMMAND
RX_IRQ, ERR_IRQ, TIMER_IRQ = 0x20, 0x02, 0x01  # COM_IRQ
BUFFER_OVERFLOW, COLLISION = 0x10, 0x08  # ERROR
DAMAGED = 0x03  # ERROR: parity or protocol
FLUSH = 0x80  # FIFO_LEVEL
START_SEND = 0x80  # BIT_FRAMING
COLL_POS_INVALID = 0x20  # COLL
ANTENNA = 0x03  # TX_CONTROL

# With prescaler 169 the timer ticks every 25 us: (2 * 169 + 1) / 13.56 MHz.
TICK_US = 25
PRESCALER = 169
# A card answers these commands after 91 us (ISO/IEC 14443-3, 6.2.1.1) or never; HLTA asks for 1 ms.
ANSWER_TICKS = 1000 // TICK_US

SETTINGS = (
    (Register.T_MODE, 0x80 | PRESCALER >> 8),  # start the timer by itself when a frame has gone
    (Register.T_PRESCALER, PRESCALER & 0xFF),
    (Register.T_RELOAD_HIGH, ANSWER_TICKS >> 8),
    (Register.T_RELOAD_LOW, ANSWER_TICKS & 0xFF),
    (Register.TX_ASK, 0x40),  # 100 % ASK, the modulation of type A
    (Register.MODE, 0x3D),
    (Register.RF_CFG, 0x70),  # 48 dB receiver gain: badges stay in wallets
    (Register.COLL, 0x00),  # clear the bits after a collision
)

BYTE_US = 9 * 128 / 13.56  # 106 kbit/s, eight bits and parity
FIELD_GUARD_S = 0.005  # ISO/IEC 14443-3, 5.2: a card is ready 5 ms after the field appears
POLL_S = 0.00025
MAX_POLLS = 64
MAX_WAKE_POLLS = 50
ABSENT = frozenset({0x00, 0xFF})

_OUTCOME = (
    Register.COM_IRQ,
    Register.ERROR,
    Register.FIFO_LEVEL,
    Register.CONTROL,
    Register.COLL,
)


class ReaderDownError(ReaderError):
    """The reader chip itself does not answer; no card can be read until it does."""


class RegisterBus(Protocol):
    """Access to the chip's registers; any of these may raise `OSError`."""

    def read(self, register: int) -> int:
        """One register's value, 0 to 255."""

    def read_many(self, registers: Sequence[int]) -> Sequence[int]:
        """Several registers' values; `FIFO_DATA` may be named repeatedly."""

    def write(self, register: int, value: int) -> None:
        """Set one register."""

    def write_fifo(self, data: bytes) -> None:
        """Append to the FIFO, which holds 64 bytes."""

    def close(self) -> None:
        """Give the bus back; no pin changes."""


class MfrcPackageBus:
    """The `mfrc522` package 0.0.7 as register driver: `Read_MFRC522`, `Write_MFRC522`, `spi`."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    @classmethod
    def open(
        cls, device: int = 0, *, reset_pin: int = 25, taken_pins: Collection[int] = ()
    ) -> MfrcPackageBus:
        """Open the chip at SPI 0.`device`, its reset line at BCM `reset_pin`.

        `taken_pins`: BCM numbers of lock, contact and the like. Raises `ReaderDownError`.
        """
        if reset_pin in taken_pins:
            raise ReaderDownError(
                f"reset_pin {reset_pin} of the reader at SPI 0.{device} already drives something "
                "else at this door: give the reader a pin of its own"
            )
        try:
            return cls(_open_driver(device, reset_pin))
        except ImportError as error:
            raise ReaderDownError(
                "the packages mfrc522, spidev and RPi.GPIO are not all installed: "
                "install kokubus[edge,pi]"
            ) from error
        except (OSError, RuntimeError, ValueError) as error:
            raise ReaderDownError(
                f"the reader at SPI 0.{device} cannot be opened ({error}): "
                "switch SPI on (raspi-config) and check reset_pin"
            ) from error

    def read(self, register: int) -> int:
        return int(self._driver.Read_MFRC522(register))

    def read_many(self, registers: Sequence[int]) -> Sequence[int]:
        # While one value comes out, the next address goes in (data sheet 8.1.2.1).
        addresses = [register << 1 | 0x80 for register in registers]
        values: list[int] = self._driver.spi.xfer2([*addresses, 0])
        return values[1:]

    def write(self, register: int, value: int) -> None:
        self._driver.Write_MFRC522(register, value)

    def write_fifo(self, data: bytes) -> None:
        self._driver.spi.xfer2([Register.FIFO_DATA << 1, *data])

    def close(self) -> None:
        self._driver.spi.close()


def _open_driver(device: int, reset_pin: int) -> Any:
    package = importlib.import_module("mfrc522")
    gpio = importlib.import_module("RPi.GPIO")
    gpio.setmode(gpio.BCM)  # fails where pins are counted otherwise, before a wrong one moves
    driver = package.MFRC522(bus=0, device=device, pin_mode=gpio.BCM, pin_rst=reset_pin)
    logging.getLogger("mfrc522Logger").handlers.clear()  # each opening adds one more
    return driver


class Mfrc522:
    """One chip behind a `RegisterBus`; a `Radio` for `iso14443.TypeA`."""

    def __init__(self, bus: RegisterBus, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._bus = bus
        self._sleep = sleep

    def start(self) -> None:
        """Reset the chip, set timer, gain and modulation, switch the antenna on."""
        self._version()
        self._bus.write(Register.COMMAND, Command.SOFT_RESET)
        self._await_oscillator()
        for register, value in SETTINGS:
            self._bus.write(register, value)
        self._bus.write(Register.TX_CONTROL, self._bus.read(Register.TX_CONTROL) | ANTENNA)
        self._sleep(FIELD_GUARD_S)

    def check(self) -> None:
        """Raise `ReaderDownError` if the chip is gone; set it up again if it lost its power."""
        version, tx_control = self._bus.read_many((Register.VERSION, Register.TX_CONTROL))
        _refuse_absent(version)
        if tx_control & ANTENNA != ANTENNA:
            self.start()

    def exchange(self, data: bytes, *, last_bits: int = 0, align: int = 0) -> Reply | None:
        """See `iso14443.Radio.exchange`; waits 1 ms for an answer."""
        framing = align << 4 | last_bits
        self._bus.write(Register.COMMAND, Command.IDLE)
        self._bus.write(Register.COM_IRQ, 0x7F)
        self._bus.write(Register.FIFO_LEVEL, FLUSH)
        self._bus.write_fifo(data)
        self._bus.write(Register.BIT_FRAMING, framing)
        self._bus.write(Register.COMMAND, Command.TRANSCEIVE)
        self._bus.write(Register.BIT_FRAMING, START_SEND | framing)
        self._sleep((len(data) + 6) * BYTE_US * 1e-6)  # six: turnaround and a typical answer
        return self._outcome()

    def _outcome(self) -> Reply | None:
        irq = 0
        for _ in range(MAX_POLLS):
            irq, error, level, control, coll = self._bus.read_many(_OUTCOME)
            if irq & RX_IRQ:
                return self._received(error, level, control, coll)
            if irq & TIMER_IRQ:
                return None
            self._sleep(POLL_S)
        if irq & ERR_IRQ:
            raise FrameError("an answer arrived damaged and without an end")
        raise ReaderDownError("the reader chip hangs (its timer does not run): it is set up again")

    def _received(self, error: int, level: int, control: int, coll: int) -> Reply:
        if error & BUFFER_OVERFLOW:
            raise FrameError("an answer longer than the chip's 64 bytes")
        collision = _collision(coll) if error & COLLISION else None
        # Two cards at once spoil the parity too, so a collision goes first.
        if collision is None and error & DAMAGED:
            raise FrameError("an answer arrived damaged (parity or framing)")
        data = bytes(self._bus.read_many([Register.FIFO_DATA] * level)) if level else b""
        return Reply(data, control & 0x07, collision)

    def _version(self) -> None:
        _refuse_absent(self._bus.read(Register.VERSION))

    def _await_oscillator(self) -> None:
        for _ in range(MAX_WAKE_POLLS):
            if not self._bus.read(Register.COMMAND) & POWER_DOWN:
                return
            self._sleep(0.001)
        raise ReaderDownError("the reader chip does not wake from its reset: check its 3.3 V")


def _refuse_absent(version: int) -> None:
    if version in ABSENT:
        raise ReaderDownError(
            f"the badge reader does not answer (VersionReg 0x{version:02X}): "
            "check its cable, its 3.3 V and the SPI device number"
        )


def _collision(coll: int) -> int:
    """CollPos counts from bit 0 of the first FIFO byte, as NXP's own reader library takes it."""
    if coll & COLL_POS_INVALID:
        raise FrameError("cards collide where the chip cannot say")
    return coll & 0x1F or 32
