"""The MFRC522 as seen from its SPI pins (NXP MFRC522 data sheet, sections 8 to 10).

Time is virtual: it passes with each SPI transfer and in `sleep`, so a test or a benchmark gets
the same microseconds on every machine. Given a `clock`, it also passes on the wall.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import partial

from kokubus_edge.emulator.bits import ETU_US, Bits
from kokubus_edge.emulator.field import Answer, Field
from kokubus_edge.emulator.timeline import Timeline
from kokubus_edge.iso14443 import crc_a
from kokubus_edge.mfrc522 import ANTENNA, Command, Register

TRANSFER_US = 40.0  # assumed: one ioctl of spidev and its Python call on a Pi 4
OSCILLATOR_US = 150.0
ANSWER_DELAY_US = 91.0  # ISO/IEC 14443-3, 6.2.1.1: 1236 cycles of 13.56 MHz
FIFO_BYTES = 64

RESET_VALUES: dict[int, int] = {
    Register.COMMAND: 0x20,
    Register.COM_IRQ: 0x14,
    Register.STATUS1: 0x21,
    Register.CONTROL: 0x10,
    Register.COLL: 0xA0,
    Register.MODE: 0x3F,
    Register.TX_CONTROL: 0x80,
    Register.RF_CFG: 0x48,
}
READ_ONLY = frozenset(
    {
        Register.ERROR,
        Register.STATUS1,
        Register.CRC_RESULT_HIGH,
        Register.CRC_RESULT_LOW,
        Register.VERSION,
    }
)
TX_IRQ, RX_IRQ, ERR_IRQ, TIMER_IRQ = 0x40, 0x20, 0x02, 0x01
OVERFLOW, COLLISION, CRC_ERROR, PARITY = 0x10, 0x08, 0x04, 0x02


class Mfrc522Chip:
    """One chip and its field; `transfers` counts SPI transfers."""

    def __init__(
        self,
        field: Field | None = None,
        *,
        version: int = 0x92,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock`: monotonic seconds, for a chip polled in real time."""
        self.field = field or Field()
        self.transfers = 0
        self._time = Timeline(clock)
        self._version = version
        self._unplugged: int | None = None
        self._bus_broken = False
        self._writers: dict[int, Callable[[int], None]] = {
            Register.COMMAND: self._write_command,
            Register.COM_IRQ: partial(self._write_irq, Register.COM_IRQ),
            Register.DIV_IRQ: partial(self._write_irq, Register.DIV_IRQ),
            Register.FIFO_DATA: self._write_fifo,
            Register.FIFO_LEVEL: self._write_fifo_level,
            Register.CONTROL: self._write_control,
            Register.BIT_FRAMING: self._write_bit_framing,
            Register.COLL: self._write_coll,
            Register.TX_CONTROL: self._write_tx_control,
        }
        self._reset()

    @property
    def now_us(self) -> float:
        """Virtual microseconds since the chip was made."""
        return self._time.now_us

    def transfer(self, out: Sequence[int], speed_hz: int = 1_000_000) -> list[int]:
        """One SPI transfer, full duplex: an address byte, then data or further addresses."""
        if self._bus_broken:
            raise OSError(errno.EIO, "Input/output error")
        self.transfers += 1
        self._time.go_on(TRANSFER_US + 8e6 / speed_hz * len(out))
        if self._unplugged is not None:
            return [self._unplugged] * len(out)
        if out[0] & 0x80:
            return [0, *(self._read(address >> 1 & 0x3F) for address in out[:-1])]
        for value in out[1:]:
            self._write(out[0] >> 1 & 0x3F, value & 0xFF)
        return [0] * len(out)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass, as `time.sleep` lets real time pass."""
        self._time.go_on(seconds * 1e6)

    def unplug(self, floating: int = 0x00) -> None:
        """Pull the cable: the chip loses its power, every read gives `floating`."""
        self._unplugged = floating
        self._reset()

    def break_bus(self) -> None:
        """From now on every transfer fails with `OSError`."""
        self._bus_broken = True

    def brown_out(self) -> None:
        """A dip of the supply: all settings are lost, the antenna off."""
        self._reset()

    def plug_in(self) -> None:
        """End `unplug` and `break_bus`."""
        self._unplugged, self._bus_broken = None, False

    # -- registers

    def _reset(self) -> None:
        self._registers = [RESET_VALUES.get(address, 0) for address in range(64)]
        self._fifo = bytearray()
        self._time.forget_all()
        self.field.power(on=False)

    def _read(self, register: int) -> int:
        if register == Register.FIFO_DATA:
            return self._fifo.pop(0) if self._fifo else 0
        if register == Register.FIFO_LEVEL:
            return len(self._fifo)
        return self._version if register == Register.VERSION else self._registers[register]

    def _write(self, register: int, value: int) -> None:
        if register in self._writers:
            self._writers[register](value)
        elif register not in READ_ONLY:
            self._registers[register] = value

    def _raise(self, bits: int) -> None:
        self._registers[Register.COM_IRQ] |= bits

    def _write_irq(self, register: int, value: int) -> None:
        """Set1: with bit 7 the marked bits are set, without it they are cleared."""
        if value & 0x80:
            self._registers[register] |= value & 0x7F
        else:
            self._registers[register] &= ~value

    def _write_fifo(self, value: int) -> None:
        if len(self._fifo) < FIFO_BYTES:
            self._fifo.append(value)
        else:
            self._registers[Register.ERROR] |= OVERFLOW

    def _write_fifo_level(self, value: int) -> None:
        if value & 0x80:
            self._fifo.clear()
            self._registers[Register.ERROR] &= ~OVERFLOW

    def _write_control(self, value: int) -> None:
        if value & 0x80:
            self._time.forget("timer")
        elif value & 0x40:
            self._start_timer()

    def _write_coll(self, value: int) -> None:
        self._registers[Register.COLL] = self._registers[Register.COLL] & 0x7F | value & 0x80

    def _write_tx_control(self, value: int) -> None:
        self._registers[Register.TX_CONTROL] = value
        self.field.power(on=bool(value & ANTENNA))

    def _write_bit_framing(self, value: int) -> None:
        self._registers[Register.BIT_FRAMING] = value
        self._send_if_started()

    # -- commands

    def _write_command(self, value: int) -> None:
        self._registers[Register.COMMAND] = value & 0x3F
        self._time.forget("sent", "answering", "received")
        command = value & 0x0F
        if command == Command.SOFT_RESET:
            self._restart()
        elif command == Command.CALC_CRC:
            self._calculate_crc()
        elif command == Command.TRANSCEIVE:
            self._registers[Register.ERROR] = 0
            self._send_if_started()
        elif command == Command.MF_AUTHENT:
            self._fifo.clear()  # no card here speaks Crypto1: the command waits for ever

    def _restart(self) -> None:
        self._reset()
        self._registers[Register.COMMAND] |= 0x10
        self._time.after("oscillator", OSCILLATOR_US, self._wake)

    def _wake(self) -> None:
        self._registers[Register.COMMAND] &= ~0x10

    def _calculate_crc(self) -> None:
        low, high = crc_a(bytes(self._fifo))
        self._fifo.clear()
        self._registers[Register.CRC_RESULT_LOW] = low
        self._registers[Register.CRC_RESULT_HIGH] = high
        self._registers[Register.DIV_IRQ] |= 0x04

    def _send_if_started(self) -> None:
        framing = self._registers[Register.BIT_FRAMING]
        if framing & 0x80 and self._registers[Register.COMMAND] & 0x0F == Command.TRANSCEIVE:
            self._send(framing & 0x07)

    # -- the air

    def _send(self, last_bits: int) -> None:
        data = bytes(self._fifo)
        self._fifo.clear()
        if self._registers[Register.TX_MODE] & 0x80:
            data += crc_a(data)
        frame = Bits.of(data, last_bits)
        answer = self.field.exchange(frame)
        self._time.after("sent", frame.air_us, self._sent)
        if answer:
            begin = frame.air_us + ANSWER_DELAY_US
            self._time.after("answering", begin + 5 * ETU_US, self._stop_timer)
            self._time.after("received", begin + answer.bits.air_us, partial(self._receive, answer))

    def _sent(self) -> None:
        self._raise(TX_IRQ)
        if self._registers[Register.T_MODE] & 0x80:
            self._start_timer()

    def _start_timer(self) -> None:
        registers = self._registers
        prescaler = (registers[Register.T_MODE] & 0x0F) << 8 | registers[Register.T_PRESCALER]
        reload = registers[Register.T_RELOAD_HIGH] << 8 | registers[Register.T_RELOAD_LOW]
        ticks = (reload + 1) * (2 * prescaler + 1)
        self._time.after("timer", ticks / 13.56, partial(self._raise, TIMER_IRQ))

    def _stop_timer(self) -> None:
        """TAuto: the fifth received bit stops the timer."""
        self._time.forget("timer")

    def _receive(self, answer: Answer) -> None:
        align = self._registers[Register.BIT_FRAMING] >> 4 & 0x07
        stored, errors = self._settled(answer, align)
        if not answer.bits.parity_ok:
            errors |= PARITY
        data = stored.to_bytes()
        if self._registers[Register.RX_MODE] & 0x80:
            data, wrong = data[:-2], crc_a(data[:-2]) != data[-2:]
            errors |= CRC_ERROR if wrong else 0
        room = FIFO_BYTES - len(self._fifo)
        self._fifo += data[:room]
        errors |= OVERFLOW if len(data) > room else 0
        self._registers[Register.CONTROL] = 0x10 | stored.count % 8
        self._registers[Register.ERROR] |= errors
        self._raise(RX_IRQ | (ERR_IRQ if errors else 0))

    def _settled(self, answer: Answer, align: int) -> tuple[Bits, int]:
        """The bits as the FIFO stores them, with CollReg set; and the collision error."""
        coll = self._registers[Register.COLL] & 0x80
        stored = Bits(answer.bits.value << align, answer.bits.count + align)
        if answer.collision is None:
            self._registers[Register.COLL] = coll | 0x20
            return stored, 0
        place = answer.collision + align
        self._registers[Register.COLL] = coll | (place + 1 & 0x1F if place < 32 else 0x20)
        keep = stored.value if coll else stored.value & (1 << place) - 1
        return Bits(keep, stored.count), COLLISION
