"""What a device says to the hub: facts, in the past tense, and two words about itself.

What the hub says is in `kokubus.downlinks`. Every instant is an
integer: milliseconds since 1970-01-01 UTC. Bounds stand as `annotated_types` metadata, so
that `kokubus.wire` can enforce them and this module stays free of any library's types.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, TypeAlias

from annotated_types import Ge, Le, Len, Predicate


def _forward(pair: tuple[int, int]) -> bool:
    return pair[0] <= pair[1]


Instant: TypeAlias = int
Name = Annotated[str, Len(1, 64)]
Text = Annotated[str, Len(0, 300)]
At = Annotated[int, Ge(0), Le(2**52)]
Count = Annotated[int, Ge(0), Le(2**52)]
Range = Annotated[tuple[Count, Count], Predicate(_forward)]


class Clock(StrEnum):
    """How far a device trusts its own wall clock."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNTRUSTED = "untrusted"


class Side(StrEnum):
    """Which way a reader, a beam or a passage points, seen from the room."""

    IN = "in"
    OUT = "out"


class By(StrEnum):
    """Who decided what the door did."""

    HUB = "hub"
    EDGE = "edge"


class CodeOutcome(StrEnum):
    """What a door made of a one-time code."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    LOCKED_OUT = "locked_out"
    LOCKDOWN = "lockdown"
    NOT_KEPT = "not_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a fact stands in its device's record: exactly once is judged by (epoch, seq)."""

    epoch: Name
    seq: Annotated[int, Ge(1), Le(2**52)]
    boot: Name
    uptime_ms: Count
    clock: Clock


@dataclass(frozen=True, slots=True, order=True)
class PolicyNumber:
    """(epoch, n): the epoch is raised when a hub is restored from a backup."""

    epoch: Count
    n: Count


# --- facts, up ---------------------------------------------------------------------------


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
class Reading:
    """One value of one sensor: co2 in ppm, pir 0/1, temperature in deg C, humidity in %."""

    sensor: Name
    quantity: Annotated[str, Len(1, 32)]
    at: At
    value: Annotated[float, Ge(-1e12), Le(1e12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorsRead:
    """Readings of a few seconds, grouped."""

    kind: ClassVar[str] = "sensors_read"
    id: Name
    at: At
    readings: Annotated[tuple[Reading, ...], Len(1, 200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyApplied:
    """The door has applied this policy and it is on its disk."""

    kind: ClassVar[str] = "policy_applied"
    id: Name
    at: At
    number: PolicyNumber
    sha256: Annotated[str, Len(64, 64)]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Numbers the hub will never receive: the spool was full, or they were never used.

    ``lost`` names the kind of fact that was thrown away, or ``unused`` for numbers that were
    reserved before a power cut.
    """

    kind: ClassVar[str] = "dropped"
    id: Name
    at: At
    ranges: Annotated[tuple[Range, ...], Len(1, 2000)]
    lost: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAlarmed:
    """The device itself needs somebody: ``reader_dead``, ``spool_full``, ``disk_full`` ..."""

    kind: ClassVar[str] = "device_alarmed"
    id: Name
    at: At
    alarm: Name
    active: bool
    door: Name | None = None
    detail: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDone:
    """What became of an order (`kokubus.downlinks.Order`), and the report it asked for.

    ``outcome``: ``started`` (an update: more follows), ``done``, ``failed``, ``expired``,
    ``repeated`` or ``refused``. A report holds no secret and no badge's number.
    """

    kind: ClassVar[str] = "order_done"
    id: Name
    at: At
    order: Name
    outcome: Name
    report: Annotated[str, Len(0, 60_000)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubKeyKept:
    """The hub's next signing key is on this device's disk and believed from now on."""

    kind: ClassVar[str] = "hub_key_kept"
    id: Name
    at: At
    kid: Name


Fact: TypeAlias = (
    BadgeTapped
    | Enforced
    | PassageSeen
    | NoEntry
    | ContactChanged
    | DoorForced
    | DoorHeld
    | DoorHeldClear
    | ExitRequested
    | CodeTried
    | SensorsRead
    | PolicyApplied
    | CommandDone
    | Dropped
    | DeviceAlarmed
    | OrderDone
    | HubKeyKept
)


# --- said up, but no facts: not numbered, not spooled ------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """Birth (``online``) and last will of a device; retained by the broker."""

    kind: ClassVar[str] = "status"
    online: bool
    at: At
    boot: Annotated[str, Len(0, 64)] = ""
    version: Annotated[str, Len(0, 32)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWanted:
    """The door has a gap, or nothing at all, and asks for a snapshot."""

    kind: ClassVar[str] = "policy_wanted"
    at: At
    have: PolicyNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWanted:
    """The device does not know the time; ``nonce`` is fresh, so that no old answer serves."""

    kind: ClassVar[str] = "time_wanted"
    nonce: Annotated[str, Len(16, 64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateWanted:
    """The certificate ends in a while: ``csr`` (PEM) asks for another one for the same key."""

    kind: ClassVar[str] = "certificate_wanted"
    at: At
    csr: Annotated[str, Len(1, 4_000)]


Uplink: TypeAlias = Fact | DeviceStatus | PolicyWanted | TimeWanted | CertificateWanted
