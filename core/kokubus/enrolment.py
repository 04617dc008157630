"""Which badges can be given to a person: one rule for the import and for a reader at the desk."""

from __future__ import annotations

from itertools import pairwise

from kokubus.credential import NUMBER, PIN, Credential
from kokubus.errors import KokubusError
from kokubus.happenings import CODE_DIGITS

HEX = frozenset("0123456789ABCDEF")
PIN_LENGTHS = frozenset(range(6, 13))


class NotEnrollableError(KokubusError):
    """This badge cannot identify anybody; the sentence says why and what to take instead."""


def enrollable(credential: Credential) -> None:
    """Raise `NotEnrollableError` for what identifies nobody, or anybody who tries a little."""
    if credential.tech == PIN:
        _pin(credential.uid)
    elif credential.tech == NUMBER:
        _number(credential.uid)
    else:
        _uid(credential.uid)


def _uid(uid: str) -> None:
    """Four bytes that begin with 08 are a random number (ISO/IEC 14443-3, 6.5.4)."""
    if len(uid) not in {8, 14, 20} or set(uid) - HEX:
        raise NotEnrollableError(
            "this is no badge number: it has 8, 14 or 20 digits 0-9 and A-F; "
            "read the badge at a reader instead of typing it"
        )
    if len(uid) == 8 and uid.startswith("08"):
        raise NotEnrollableError(
            "this badge shows another random number at every tap (its number begins with 08), "
            "as telephones and some identity cards do: give this person another badge"
        )


def _number(number: str) -> None:
    if len(number) not in {6, 8} or set(number) - HEX:
        raise NotEnrollableError(
            "this is no number of a Wiegand or USB reader: it has 6 or 8 digits 0-9 and A-F; "
            "hold the badge to that reader and claim it there"
        )


def _pin(pin: str) -> None:
    """A PIN alone says who somebody is: with a hundred of them, one guess in 10,000 is right."""
    lengths = PIN_LENGTHS - {CODE_DIGITS}
    if len(pin) not in lengths or set(pin) - set("0123456789"):
        raise NotEnrollableError(
            f"this is no PIN: it has {min(lengths)} to {max(lengths)} digits, and not "
            f"{CODE_DIGITS}, which are a one-time code"
        )
    if len(set(pin)) < 3 or tried_first(pin):
        raise NotEnrollableError(
            "this PIN is guessed at once: take one with more different digits, not counted in order"
        )


def tried_first(pin: str) -> bool:
    """Whether it is what people try first: one digit again and again, or a run up or down."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return steps in ({0}, {1}, {9})
