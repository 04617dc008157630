"""A USB reader or keypad that types like a keyboard: what it types becomes sightings.

The device is grabbed, so that nothing it types reaches a console. A badge's number ends with
Enter, or with a pause; a keypad's Enter is its ``#``, and Backspace or Escape its ``*``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

from kokubus.credential import Credential
from kokubus_edge.health import Health
from kokubus_edge.hid_keys import CLEAR, END, Keyboard
from kokubus_edge.input_device import LOST
from kokubus_edge.keypad import Keypad
from kokubus_edge.mfrc522 import ReaderDownError
from kokubus_edge.reader import Misread, Sighting

PAUSE_MS = 400
LONGEST = 32


class Keys(Protocol):
    """An opened input device: the (key code, value) events since it was last asked.

    `LOST` stands where some are missing. Raises `OSError` once it is gone.
    """

    def read(self) -> list[tuple[int, int]]: ...

    def close(self) -> None: ...


class HidReader:
    """Opens the device anew after each failure; ``keypad`` for one whose digits are PINs."""

    def __init__(
        self,
        open_keys: Callable[[], Keys],
        *,
        layout: str,
        number: Callable[[str], Credential],
        keypad: Keypad | None = None,
    ) -> None:
        self._open_keys, self._layout = open_keys, layout
        self._number, self._keypad = number, keypad
        self._keys: Keys | None = None
        self._keyboard = Keyboard(layout)
        self._typed, self._typed_at = "", 0
        self._spoilt = False

    def poll(self, now_ms: int) -> list[Sighting]:
        """See `BadgeReader.poll`."""
        try:
            events = self._opened().read()
        except OSError as error:
            self.close()
            raise ReaderDownError(
                f"the USB reader cannot be read ({error.strerror}): check its plug and its path, "
                "and let the agent's user into the group input"
            ) from error
        seen: list[Sighting] = []
        for event in events:
            character = self._character(event, now_ms)
            seen += self._take(character, now_ms) if character else []
        return seen + self._paused(now_ms)

    def health(self) -> Health:
        """Whether the device is there and ours alone."""
        try:
            self._opened()
        except OSError as error:
            return Health(ok=False, problem=f"the USB reader cannot be opened ({error.strerror})")
        return Health(ok=True)

    def close(self) -> None:
        """Let the device go; the next poll opens it again."""
        keys, self._keys = self._keys, None
        self._begin_anew()
        if keys is not None:
            with contextlib.suppress(OSError):
                keys.close()

    def _opened(self) -> Keys:
        if self._keys is None:
            self._keys = self._open_keys()
        return self._keys

    def _begin_anew(self, *, spoilt: bool = False) -> None:
        """``spoilt``: what is left of this number is nobody's, up to its end."""
        self._keyboard, self._typed, self._spoilt = Keyboard(self._layout), "", spoilt

    def _character(self, event: tuple[int, int], now_ms: int) -> str | None:
        if event != LOST:
            return self._keyboard.character(*event)
        self._begin_anew(spoilt=True)
        self._typed_at = now_ms
        return CLEAR if self._keypad is not None else None

    def _take(self, character: str, now_ms: int) -> list[Sighting]:
        if self._keypad is not None:
            key = {END: "#", CLEAR: "*"}.get(character, character)
            return self._keypad.press(key, now_ms) if key in "0123456789*#" else []
        if character == END:
            return self._complete()
        self._typed, self._typed_at = (self._typed + character)[:LONGEST], now_ms
        return []

    def _paused(self, now_ms: int) -> list[Sighting]:
        if self._keypad is not None:
            return self._keypad.paused(now_ms)
        return self._complete() if now_ms - self._typed_at >= PAUSE_MS else []

    def _complete(self) -> list[Sighting]:
        typed, self._typed = self._typed, ""
        if self._spoilt:
            self._spoilt = False
            return [Misread("some of what the USB reader typed was lost")]
        if not typed:
            return []
        try:
            return [self._number(typed)]
        except ValueError:  # its text would quote a badge's number
            return [Misread("what the USB reader typed is no number of the agreed form")]


def typed_number(typed: str, *, decimal: bool, reverse: bool, uid_bytes: int) -> bytes:
    """The bytes of a number as a reader prints it; ValueError if it is none.

    ``reverse``: the UID's last byte is printed first. A decimal number is one of ``uid_bytes``
    bytes.
    """
    plain = typed.strip()
    if decimal:
        if not (plain.isascii() and plain.isdecimal()):
            raise ValueError("not a decimal number")
        number = int(plain).to_bytes(uid_bytes, "big") if int(plain) >> 8 * uid_bytes == 0 else b""
    else:
        number = bytes.fromhex(plain)
    if len(number) not in {3, 4, 7, 10}:
        raise ValueError("no badge has so many bytes")
    return number[::-1] if reverse else number
