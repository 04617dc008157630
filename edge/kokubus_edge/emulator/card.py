"""A card: the states of ISO/IEC 14443-3 type A, from IDLE to ACTIVE and HALT."""

from __future__ import annotations

from enum import Enum, auto

from kokubus_edge.emulator.bits import Bits
from kokubus_edge.iso14443 import (
    HLTA,
    REQA,
    SAK_CASCADE,
    SELECT_ALL_BITS,
    SELECT_CODES,
    WUPA,
    cascade_levels,
    crc_a,
)

ATQA = {4: b"\x04\x00", 7: b"\x44\x00", 10: b"\x84\x00"}


class State(Enum):
    """ISO/IEC 14443-3, 6.3: the starred states are the plain ones of a card once halted."""

    IDLE = auto()
    READY = auto()
    ACTIVE = auto()
    HALT = auto()


class Card:
    """A card with a UID of 4, 7 or 10 bytes; a subclass may answer more in `on_active`."""

    def __init__(self, uid: str, *, sak: int = 0x08) -> None:
        """`uid` in hex; ValueError for another length."""
        self.uid = bytes.fromhex(uid)
        self.levels = cascade_levels(self.uid)
        self._sak = sak
        self.reset()

    def reset(self) -> None:
        """The field came or went: everything is forgotten, the halt too."""
        self._resting = State.IDLE
        self.state = State.IDLE
        self._level = 0

    def hear(self, frame: Bits) -> Bits | None:
        """Answer one frame, or stay silent.

        Whatever is not answered also ends a dialogue: back to IDLE or, once halted, to HALT.
        """
        answer = self._answer(frame)
        if answer is None and self.state in {State.READY, State.ACTIVE}:
            self.state = self._resting
        return answer

    def on_active(self, data: bytes) -> bytes | None:  # noqa: ARG002 - for subclasses
        """Answer a command to the selected card, both without CRC; None: not understood."""
        return None

    def _answer(self, frame: Bits) -> Bits | None:
        if frame.count == 7:
            return self._called(frame.value)
        if self.state is State.READY and frame.parity_ok:
            return self._in_ready(frame)
        if self.state is State.ACTIVE and frame.parity_ok:
            return self._in_active(frame.to_bytes())
        return None

    def _called(self, command: int) -> Bits | None:
        wakes = {State.IDLE: {REQA, WUPA}, State.HALT: {WUPA}}
        if command not in wakes.get(self.state, ()):
            return None
        self.state, self._level = State.READY, 0
        return Bits.of(ATQA[len(self.uid)])

    def _in_ready(self, frame: Bits) -> Bits | None:
        code, valid_bits = frame.value & 0xFF, frame.value >> 8 & 0xFF
        if code != SELECT_CODES[self._level]:
            return None
        if valid_bits == SELECT_ALL_BITS:
            return self._select(frame.to_bytes())
        known = frame.count - 16
        if (valid_bits >> 4) * 8 + (valid_bits & 7) != frame.count or not 0 <= known <= 32:
            return None
        own = int.from_bytes(self.levels[self._level], "little")
        differs = (own ^ frame.value >> 16) & (1 << known) - 1
        return None if differs else Bits(own >> known, 40 - known)

    def _select(self, data: bytes) -> Bits | None:
        wanted = data[:2] + self.levels[self._level]
        if data != wanted + crc_a(wanted):
            return None
        if self._level == len(self.levels) - 1:
            self.state = State.ACTIVE
            return _checked(bytes((self._sak,)))
        self._level += 1
        return _checked(bytes((SAK_CASCADE,)))

    def _in_active(self, data: bytes) -> Bits | None:
        if crc_a(data[:-2]) != data[-2:]:
            return None
        if data[:-2] == HLTA:
            self._resting = State.HALT
            return None
        answer = self.on_active(data[:-2])
        return None if answer is None else _checked(answer)


def _checked(data: bytes) -> Bits:
    return Bits.of(data + crc_a(data))
