"""What is typed at a keypad: keys go in, a number comes out when it is complete.

``#`` ends a number and ``*`` clears it; whoever pauses for `KEY_GAP_MS` begins anew. Where the
site gives its PINs one length a PIN needs no ``#``: it is complete once no further key came
for `MORE_MS`, so that a longer one-time code can still be typed. Instants are monotonic ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kokubus.happenings import CODE_DIGITS

KEYS = frozenset("0123456789*#")
KEY_GAP_MS = 5_000
MORE_MS = 1_000
MAX_DIGITS = 16
"""What is longer is cut to this, which is longer than any PIN: a refusal, not a silence."""


@dataclass(frozen=True, slots=True)
class Typing:
    """What was typed so far, and when its last key was."""

    digits: str = field(default="", repr=False)
    at: int = 0


def press(typing: Typing, key: str, now: int) -> tuple[Typing, str | None]:
    """One key of `KEYS`; the number if it is complete."""
    if now - typing.at >= KEY_GAP_MS:
        typing = Typing()
    if key == "#":
        return Typing(), typing.digits or None
    if key == "*":
        return Typing(), None
    return replace(typing, digits=(typing.digits + key)[:MAX_DIGITS], at=now), None


def paused(typing: Typing, pin_length: int | None, now: int) -> tuple[Typing, str | None]:
    """No key was pressed until ``now``; a number of the agreed length is complete by that."""
    complete = len(typing.digits) in {pin_length, CODE_DIGITS} if pin_length else False
    if complete and now - typing.at >= MORE_MS:
        return Typing(), typing.digits
    if typing.digits and now - typing.at >= KEY_GAP_MS:
        return Typing(), None
    return typing, None
