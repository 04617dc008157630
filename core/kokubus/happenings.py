"""What can happen at a door, and what the door can do about it: data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias

from kokubus.downlinks import AccessDecided
from kokubus.ids import uuid7
from kokubus.messages import CodeOutcome, Fact, Instant, Side
from kokubus.rights import Policy

CODE_DIGITS = 8
"""How long a one-time code is: what a keypad hears is a code by its length, else a PIN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The instant of a reaction.

    ``at`` is wall time, ``mono`` monotonic milliseconds (deadlines are judged by it alone);
    ``linked`` whether the hub can be asked; ``noise`` 10 random bytes, for the ids of facts.
    """

    at: Instant
    mono: int
    trusted: bool = True
    linked: bool = True
    policy_age_ms: int = 0
    noise: bytes = bytes(10)

    def fact_id(self, door: str, number: int) -> str:
        """The id of the ``number``-th fact of this door's reaction.

        One tick moves every door of a device, so the noise is the same and the door is not.
        """
        return uuid7(self.at, sha256(self.noise + f"{number} {door}".encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeSeen:
    """A reader read a badge, or (``typed``) a keypad a PIN.

    ``lookup`` is this device's, ``sealed`` is for the hub.
    """

    door: str
    tap: str
    lookup: str
    sealed: str
    side: Side = Side.IN
    assurance: int = 0
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The hub's verified answer to a tap."""

    decided: AccessDecided


@dataclass(frozen=True, slots=True)
class Commanded:
    """A verified unlock command, after its id was written to disk.

    ``fresh`` is False if that id had been executed before.
    """

    door: str
    command: str
    expires_at: Instant
    fresh: bool


@dataclass(frozen=True, slots=True)
class ContactOpened:
    """The door leaf opened, or was found open at the start."""

    door: str


@dataclass(frozen=True, slots=True)
class ContactClosed:
    """The door leaf closed, or was found closed at the start."""

    door: str


@dataclass(frozen=True, slots=True)
class ExitPressed:
    """Somebody inside pressed request-to-exit.

    ``lasting``: a PIR sees somebody at the door, until `ExitReleased`.
    """

    door: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class ExitReleased:
    """Nobody moves before the door any more."""

    door: str


@dataclass(frozen=True, slots=True)
class TamperChanged:
    """The box of a door's electronics, or its reader, was opened or is closed."""

    door: str
    tampered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeEntered:
    """Somebody typed a one-time code (`CODE_DIGITS` digits, then ``#``) at a door's keypad.

    The agent judges it and hands the door what came of it; shorter entries are PINs, and
    those are taps.
    """

    door: str
    side: Side = Side.IN
    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeJudged:
    """What became of a one-time code; ``counter`` (on disk by now) is an accepted one's."""

    door: str
    side: Side
    outcome: CodeOutcome
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class BadgeMisread:
    """A badge or a key arrived damaged; nobody knows whose it is."""

    door: str


@dataclass(frozen=True, slots=True)
class ReaderChanged:
    """Whether badges can be read at a door has changed."""

    door: str
    works: bool


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """A policy was applied, or (None) lost."""

    policy: Policy | None


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed."""


Happening: TypeAlias = (
    BadgeSeen
    | CodeEntered
    | Answered
    | Commanded
    | ContactOpened
    | ContactClosed
    | ExitPressed
    | ExitReleased
    | TamperChanged
    | CodeJudged
    | BadgeMisread
    | ReaderChanged
    | PolicyChanged
    | Ticked
)


class Pattern(StrEnum):
    """What light and buzzer say."""

    IDLE = "idle"
    WAITING = "waiting"
    GRANTED = "granted"
    DENIED = "denied"
    HELD = "held"
    FREE = "free"
    LOCKED_OUT = "locked_out"
    TRY_AGAIN = "try_again"
    LOCKDOWN = "lockdown"
    OUT_OF_ORDER = "out_of_order"


@dataclass(frozen=True, slots=True)
class Send:
    """Record this fact and send it."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Judge:
    """Compare a one-time code; those of counters below ``code_from`` are void."""

    entered: CodeEntered
    code_from: int


@dataclass(frozen=True, slots=True)
class Unlock:
    """Draw the bolt for ``pulse_ms``; a timer of its own lets it go again."""

    pulse_ms: int


@dataclass(frozen=True, slots=True)
class HoldBack:
    """Hold the bolt back until `Lock`: free passage."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Let the bolt go."""


@dataclass(frozen=True, slots=True)
class Light:
    """Show a pattern."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Beep:
    """Sound a pattern."""

    pattern: Pattern


Act: TypeAlias = Send | Judge | Unlock | HoldBack | Lock | Light | Beep
