"""What a door is and what it remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from kokubus.attempts import Attempts
from kokubus.happenings import Act, BadgeSeen
from kokubus.messages import Instant, Side
from kokubus.rights import Policy

EXIT_WINDOW_MS = 10_000
CONTACT_LAG_MS = 500  # a leaf pulled at the pulse's end is reported after it
DENIAL_SHOWN_MS = 2_000
TAPS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSpec:
    """What is built into a door; durations in milliseconds.

    ``exit_unlocks`` only for locks that cannot be left by the handle; ``has_contact`` False
    means that nobody can tell whether the door was opened.
    """

    id: str
    pulse_ms: int = 5_000
    permitted_open_ms: int = 30_000
    deadline_ms: int = 400
    exit_unlocks: bool = False
    has_contact: bool = True
    has_keypad: bool = False
    reports_exit: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """A tap that waits for the hub until ``deadline`` (monotonic)."""

    seen: BadgeSeen
    deadline: int


@dataclass(frozen=True, slots=True)
class Opening:
    """Somebody may open the door until ``until`` (monotonic): a tap, a command, an exit."""

    until: int
    side: Side | None
    tap: str | None = None
    badge: str | None = None
    command: str | None = None
    exit_requested: bool = False


@dataclass(frozen=True, slots=True)
class Door:
    """A door's state; what is not an `Instant` is monotonic.

    ``open`` None: not known yet; ``held`` once it was reported; ``taps`` are the last ones
    taken, so that none is taken twice; ``drawn_until`` the bolt's, ``lit_until`` the light's;
    ``attempts`` what its keypad refused, ``keypad_told`` once its first word went out;
    ``reads`` whether badges can be read; ``leaving`` while a PIR sees somebody who may want to
    go out; ``tampered`` None: not known yet.
    """

    spec: DoorSpec
    policy: Policy | None = None
    taps: tuple[str, ...] = ()
    pending: tuple[Pending, ...] = ()
    openings: tuple[Opening, ...] = ()
    open: bool | None = None
    opened_at: Instant = 0
    held_from: int | None = None
    held: bool = False
    free: bool = False
    lockdown: bool = False
    drawn_until: int | None = None
    lit_until: int | None = None
    reads: bool = True
    leaving: bool = False
    tampered: bool | None = None
    keypad_told: bool = False
    attempts: Attempts = field(default_factory=Attempts)


Reaction: TypeAlias = tuple[Door, list[Act]]
