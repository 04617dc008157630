"""ISO/IEC 14443-3 type A: find the cards in a field and learn their whole UIDs.

Everything here speaks frames to a `Radio`; which chip sends them is not its business. A UID is
handed out only after the card itself has confirmed it: BCC right, SELECT answered, CRC_A right,
and the cascade bit of the SAK in accord with the cascade tag. Whatever fails on the way is a
`FrameError`, never a shorter or guessed UID.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import reduce
from operator import xor
from typing import NamedTuple, Protocol

from kokubus.errors import ReaderError

REQA = 0x26
WUPA = 0x52
HLTA = b"\x50\x00"
SELECT_CODES = (0x93, 0x95, 0x97)  # cascade levels 1 to 3
SELECT_ALL_BITS = 0x70
CASCADE_TAG = 0x88
SAK_CASCADE = 0x04

LEVEL_BITS = 40  # four bytes of UID and the BCC
UID_BITS = 32

# Worst case meant: 15 % of all frames damaged, in both directions.
ATTEMPTS = 16


class FrameError(ReaderError):
    """A frame was damaged, or an answer is missing in mid-dialogue; asking again may help."""


class Reply(NamedTuple):
    """What came back over the air, as stored from bit `align` of the first byte on.

    `last_bits` valid bits in the last byte (0: all eight); `collision` is the 1-based position of
    the first collided bit, counted from bit 0 of the first stored byte, or None.
    """

    data: bytes
    last_bits: int = 0
    collision: int | None = None


class Radio(Protocol):
    """One exchange over the air with whoever is in the field."""

    def exchange(self, data: bytes, *, last_bits: int = 0, align: int = 0) -> Reply | None:
        """Send `data`, its last byte cut to `last_bits` (0: all); None if nobody answers.

        Raises `FrameError` for a damaged answer, another `ReaderError` if the chip is gone.
        """


class Activated(NamedTuple):
    """One card, selected and waiting for commands; `alone` if no other was heard beside it."""

    uid: bytes
    sak: int
    alone: bool


def crc_a(data: bytes) -> bytes:
    """CRC_A over `data`, low byte first (ISO/IEC 14443-3, 6.2.4 and annex B)."""
    crc = 0x6363
    for byte in data:
        mixed = (byte ^ crc) & 0xFF
        mixed = (mixed ^ mixed << 4) & 0xFF
        crc = crc >> 8 ^ mixed << 8 ^ mixed << 3 ^ mixed >> 4
    return crc.to_bytes(2, "little")


def with_bcc(part: bytes) -> bytes:
    """The four bytes of one cascade level and their check byte, the XOR of all four."""
    return bytes((*part, reduce(xor, part)))


def cascade_levels(uid: bytes) -> list[bytes]:
    """Split a UID of 4, 7 or 10 bytes into what each cascade level sends, BCC included."""
    if len(uid) not in {4, 7, 10}:
        raise ValueError(f"a UID has 4, 7 or 10 bytes, not {len(uid)}")
    levels = []
    while len(uid) > 4:
        levels.append(with_bcc(bytes((CASCADE_TAG,)) + uid[:3]))
        uid = uid[3:]
    return [*levels, with_bcc(uid)]


class TypeA:
    """The reader's side of ISO/IEC 14443-3 type A."""

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._alone = True

    def activate(self) -> Activated | None:
        """Select one card that is not halted; None if none answers or none can be read."""
        for _ in self._answered(REQA):
            with contextlib.suppress(FrameError):
                return self._select()
        return None

    def halt(self) -> None:
        """Send the selected card to sleep; it answers `activate` again once it left the field."""
        with contextlib.suppress(FrameError):
            self._radio.exchange(HLTA + crc_a(HLTA))

    def is_present(self, uid: bytes) -> bool:
        """Whether this very card, halted before, is still in the field; it is halted again."""
        for _ in self._answered(WUPA):
            if self._reselect(uid):
                self.halt()
                return True
        return False

    def transceive(self, data: bytes) -> bytes:
        """Exchange one frame with the selected card; CRC_A is added, checked and taken off."""
        reply = self._radio.exchange(data + crc_a(data))
        if reply is None:
            raise FrameError("the card stopped answering: it was taken away too soon")
        whole = reply.collision is None and not reply.last_bits
        if not whole or crc_a(reply.data[:-2]) != reply.data[-2:]:
            raise FrameError("the card's answer arrived damaged (CRC_A)")
        return reply.data[:-2]

    def _answered(self, command: int) -> Iterator[None]:
        """One turn for each attempt worth making; ends when nobody answers any more.

        A card left in mid-dialogue takes one call to fall idle, and noise may swallow others.
        """
        for attempt in range(ATTEMPTS):
            if not any(self._called(command) for _ in range(4 if attempt else 2)):
                return
            yield

    def _called(self, command: int) -> bool:
        try:
            return self._radio.exchange(bytes((command,)), last_bits=7) is not None
        except FrameError:
            return True  # a damaged ATQA is an answer too

    def _select(self) -> Activated:
        self._alone = True
        uid = b""
        for code in SELECT_CODES:
            level = self._resolve(code)
            sak = self._confirm(code, level)
            more = code != SELECT_CODES[-1] and level[0] == CASCADE_TAG
            if more != bool(sak & SAK_CASCADE):
                raise FrameError("SAK and cascade tag disagree about the length of the UID")
            if not more:
                return Activated(uid + level[:4], sak, self._alone)
            uid += level[1:4]
        raise AssertionError("the third cascade level always ends the UID")

    def _reselect(self, uid: bytes) -> bool:
        try:
            for code, level in zip(SELECT_CODES, cascade_levels(uid), strict=False):
                self._confirm(code, level)
        except FrameError:
            return False
        return True

    def _resolve(self, code: int) -> bytes:
        """One cascade level, collisions resolved bit by bit towards the card that sends a 1."""
        known, bits = 0, 0
        while True:  # every turn knows at least one of 32 bits more
            reply = self._anticollision(code, bits, known)
            stored_from = known - known % 8
            bits |= int.from_bytes(reply.data, "little") << stored_from >> known << known
            if reply.collision is None:
                return _checked(bits, reply, stored_from)
            self._alone = False
            bits, known = _branch(bits, known, stored_from + reply.collision)

    def _anticollision(self, code: int, bits: int, known: int) -> Reply:
        whole, odd = divmod(known, 8)
        prefix = bits.to_bytes(5, "little")[: whole + bool(odd)]
        frame = bytes((code, 2 + whole << 4 | odd)) + prefix
        reply = self._radio.exchange(frame, last_bits=odd, align=odd)
        if reply is None:
            raise FrameError("the card stopped answering: it was taken away too soon")
        return reply

    def _confirm(self, code: int, level: bytes) -> int:
        """SELECT: the card with exactly this number answers its SAK."""
        answer = self.transceive(bytes((code, SELECT_ALL_BITS)) + level)
        if len(answer) != 1:
            raise FrameError("the card's answer to SELECT has the wrong length")
        return answer[0]


def _branch(bits: int, known: int, position: int) -> tuple[int, int]:
    """Keep the bits before the collision at 1-based `position` and choose a 1 there."""
    if not known < position <= UID_BITS:
        raise FrameError("a collision where none can be")
    return bits & (1 << position - 1) - 1 | 1 << position - 1, position


def _checked(bits: int, reply: Reply, stored_from: int) -> bytes:
    if reply.last_bits or stored_from + 8 * len(reply.data) != LEVEL_BITS:
        raise FrameError("the card's number arrived cut short")
    level = bits.to_bytes(5, "little")
    if with_bcc(level[:4]) != level:
        raise FrameError("the card's number arrived damaged (BCC)")
    return level
