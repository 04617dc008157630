"""What comes over the two wires of a Wiegand reader or keypad.

A pulse on data0 is a 0, one on data1 a 1; 50 us long, some 2 ms apart, and a longer silence
ends the frame (SIA AC-01-1996.10). A frame of 26 or 34 bits is a badge's number between an even
parity bit over its first half and an odd one over its second; one of 4 bits is a key, one of 8
a key with its complement before it. Anything else is damaged, and nobody's number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from gpiozero import DigitalInputDevice

from kokubus.credential import Credential
from kokubus.errors import ReaderError
from kokubus_edge.health import Health
from kokubus_edge.keypad import Keypad
from kokubus_edge.mfrc522 import ReaderDownError
from kokubus_edge.reader import Misread, Sighting

FRAME_GAP_S = 0.025
"""Between two bits, by the kernel's own timestamps."""
FRAME_END_S = 0.06
"""Since the last bit arrived here: a busy machine hands bits over late."""
LONGEST = 40
"""More bits than any frame has; a wire that only rattles fills no memory."""
DEAD_AFTER_MS = 1_000
KEYS = "0123456789*#"
CARD_BITS = frozenset({26, 34})


class FrameError(ReaderError):
    """Bits that are no frame; its text holds none of them."""


class Frames:
    """Bits, in order, cut into frames by the silence between them; any thread may add some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[int] = []
        self._ticks = self._arrived = 0.0
        self._done: list[tuple[int, ...]] = []

    def add(self, bit: int, ticks: float, arrived: float) -> None:
        """One bit: when it was on the wire and when it arrived here, in seconds each."""
        with self._lock:
            if ticks - self._ticks > FRAME_GAP_S:
                self._cut()
            self._ticks, self._arrived = ticks, arrived
            if len(self._open) < LONGEST:
                self._open.append(bit)

    def take(self, now: float) -> list[tuple[int, ...]]:
        """The frames that have ended by now."""
        with self._lock:
            if now - self._arrived > FRAME_END_S:
                self._cut()
            done, self._done = self._done, []
            return done

    def _cut(self) -> None:
        if self._open:
            self._done.append(tuple(self._open))
            self._open = []


class WiegandReader:
    """A reader, keypad or both at two input pins.

    The wires rest high, held there by the reader; the pins are pulled down, so that a reader
    that was unplugged or has no power is noticed. ``seconds`` is a monotonic clock.
    """

    def __init__(
        self,
        data0: int,
        data1: int,
        factory: Any,
        *,
        number: Callable[[bytes], Credential],
        keypad: Keypad,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._number, self._keypad, self._seconds = number, keypad, seconds
        self._frames = Frames()
        self._low_since: int | None = None
        self._wires = [_wire(pin, factory) for pin in (data0, data1)]
        # Kept here: gpiozero refers to them weakly.
        self._hear = (self._zero, self._one)
        for wire, hear in zip(self._wires, self._hear, strict=True):
            # Every falling edge is a bit, whatever the level is when somebody looks 50 us later.
            wire.pin.edges = "falling"
            wire.pin.when_changed = hear

    def poll(self, now_ms: int) -> list[Sighting]:
        """See `BadgeReader.poll`."""
        self._look(now_ms)
        seen: list[Sighting] = []
        for frame in self._frames.take(self._seconds()):
            try:
                seen += self._read(frame, now_ms)
            except FrameError as error:
                seen.append(Misread(str(error)))
        return seen + self._keypad.paused(now_ms)

    def health(self) -> Health:
        """Whether both wires rest high, as a reader with power holds them."""
        wires = zip(("data0", "data1"), self._wires, strict=True)
        low = [name for name, wire in wires if not wire.is_active]
        return Health(ok=not low, problem=_unplugged(low) if low else "")

    def close(self) -> None:
        """Give the pins back."""
        for wire in self._wires:
            wire.close()

    def _zero(self, ticks: float, state: Any) -> None:
        del state
        self._frames.add(0, ticks, self._seconds())

    def _one(self, ticks: float, state: Any) -> None:
        del state
        self._frames.add(1, ticks, self._seconds())

    def _look(self, now_ms: int) -> None:
        health = self.health()
        if health.ok:
            self._low_since = None
            return
        if self._low_since is None:
            self._low_since = now_ms
        if now_ms - self._low_since >= DEAD_AFTER_MS:
            self._frames.take(self._seconds())
            raise ReaderDownError(health.problem)

    def _read(self, frame: tuple[int, ...], now_ms: int) -> list[Sighting]:
        if len(frame) in CARD_BITS:
            return [self._number(card_number(frame))]
        return self._keypad.press(key_of(frame), now_ms)


def card_number(frame: Sequence[int]) -> bytes:
    """The three or four bytes between the parity bits of 26 or 34; FrameError."""
    half = len(frame) // 2
    if sum(frame[:half]) % 2 or not sum(frame[half:]) % 2:
        raise FrameError("a badge's number arrived damaged (parity)")
    return _value(frame[1:-1]).to_bytes((len(frame) - 2) // 8, "big")


def key_of(frame: Sequence[int]) -> str:
    """The key of 4 bits, or of 8 with its complement first; FrameError."""
    if len(frame) not in {4, 8}:
        raise FrameError(f"{len(frame)} bits are neither a badge (26, 34) nor a key (4, 8)")
    key = _value(frame[-4:])
    if len(frame) == 8 and _value(frame[:4]) != key ^ 0xF:
        raise FrameError("a key arrived damaged (its complement)")
    if key >= len(KEYS):
        raise FrameError("a key that no keypad has")
    return KEYS[key]


def _value(bits: Sequence[int]) -> int:
    value = 0
    for bit in bits:
        value = value << 1 | bit
    return value


def _wire(pin: int, factory: Any) -> Any:
    return DigitalInputDevice(pin, pull_up=False, pin_factory=factory)


def _unplugged(wires: Sequence[str]) -> str:
    return (
        f"{' and '.join(wires)} of the Wiegand reader should rest high: "
        "check its plug, its 12 V and the level shifter"
    )
