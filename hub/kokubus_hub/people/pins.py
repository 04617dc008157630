"""PINs: how long they have to be, and drawing one that nobody has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from kokubus.enrolment import tried_first
from kokubus.errors import KokubusError

SHORTEST, LONGEST = 4, 7
"""A keypad takes eight digits as a one-time code."""
CODES_PER_USER = 1_000
"""EN 60839-11-1: at least so many codes for each that opens the door (the 1000:1 rule)."""
_DIGITS = "0123456789"
_TRIES = 1_000


class NoPinError(KokubusError):
    """So many people have a PIN at this door that none could be safe."""


def codes(length: int) -> int:
    """How many PINs of this length may be drawn: ten runs up, ten down, ten of one digit not."""
    return int(10**length) - 30


def length_for(users: Mapping[int, int]) -> int:
    """How long one more PIN has to be where ``users`` says how many have one, by length.

    Who guesses a PIN of some length must meet one code in a thousand at most, so each length
    is counted by itself and the shortest that has room is taken.

    >>> length_for({}), length_for({4: 9}), length_for({4: 9, 5: 99})
    (4, 5, 6)
    """
    for length in range(SHORTEST, LONGEST + 1):
        if (users.get(length, 0) + 1) * CODES_PER_USER <= codes(length):
            return length
    raise NoPinError("too many people have a PIN here; give some of them a badge")


def draw(length: int, taken: Callable[[str], bool]) -> str:
    """A random PIN of this length that is neither taken nor tried first."""
    for _ in range(_TRIES):
        pin = "".join(secrets.choice(_DIGITS) for _ in range(length))
        if not tried_first(pin) and not taken(pin):
            return pin
    raise NoPinError("no PIN is free here; give some people a badge")
