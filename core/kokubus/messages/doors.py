"""Facts of a door: who came, what it did, how its leaf stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Le, Len

from kokubus.messages.words import At, By, Count, Name, PolicyNumber, Side, Text


class CodeOutcome(StrEnum):
    """What a door made of a one-time code."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    LOCKED_OUT = "locked_out"
    LOCKDOWN = "lockdown"
    NOT_KEPT = "not_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeTapped:
    """A badge was held to a reader. ``sealed`` holds the credential, for the hub alone."""

    kind: ClassVar[str] = "badge_tapped"
    id: Name
    at: At
    door: Name
    side: Side = Side.IN
    sealed: Annotated[str, Len(1, 512)]
    assurance: Annotated[int, Ge(0), Le(9)] = 0
    deadline_ms: Annotated[int, Ge(1), Le(60_000)] = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """What the door really did about a tap, and who decided it."""

    kind: ClassVar[str] = "enforced"
    id: Name
    at: At
    tap: Name
    door: Name
    by: By
    granted: bool
    reason: Name
    policy: PolicyNumber | None = None
    policy_age_ms: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageSeen:
    """The door was opened after a grant (``tap``), a command, a request-to-exit or none."""

    kind: ClassVar[str] = "passage_seen"
    id: Name
    at: At
    door: Name
    side: Side | None = None
    tap: Name | None = None
    command: Name | None = None
    exit_requested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEntry:
    """The bolt was drawn and locked again, and nobody opened the door."""

    kind: ClassVar[str] = "no_entry"
    id: Name
    at: At
    door: Name
    tap: Name | None = None
    command: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChanged:
    """The door leaf opened or closed."""

    kind: ClassVar[str] = "contact_changed"
    id: Name
    at: At
    door: Name
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorForced:
    """The door opened with no grant, command, request-to-exit or free passage."""

    kind: ClassVar[str] = "door_forced"
    id: Name
    at: At
    door: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorHeld:
    """The door stood open longer than permitted."""

    kind: ClassVar[str] = "door_held"
    id: Name
    at: At
    door: Name
    since: At


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorHeldClear:
    """A held door closed again."""

    kind: ClassVar[str] = "door_held_clear"
    id: Name
    at: At
    door: Name
    since: At


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRequested:
    """Someone inside pressed request-to-exit."""

    kind: ClassVar[str] = "exit_requested"
    id: Name
    at: At
    door: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTried:
    """Somebody typed a one-time code; ``counter`` is a right one's, the code is never told.

    ``locked_out``: too many were wrong before, so it was not compared; ``not_kept``: it was
    right, but the disk did not take that it is used up, so the door stayed shut.
    """

    kind: ClassVar[str] = "code_tried"
    id: Name
    at: At
    door: Name
    side: Side = Side.IN
    outcome: CodeOutcome
    counter: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDone:
    """What became of a command.

    ``outcome``: ``started`` (the bolt is drawn), ``opened``, ``no_entry``, ``expired``,
    ``repeated`` or ``refused``; ``detail`` says why it was refused.
    """

    kind: ClassVar[str] = "command_done"
    id: Name
    at: At
    command: Name
    outcome: Name
    detail: Text = ""
