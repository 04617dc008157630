"""Facts of a device, and what it says that is no fact: that is neither numbered nor spooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le, Len

from kokubus.messages.words import At, Count, Name, PolicyNumber, Range, Text


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHeld:
    """By which file of its site the device runs: said at each start, and when it took another.

    ``number`` is 0 for a file that was written by hand; ``sha256`` is
    `kokubus.site.given.fingerprint`.
    """

    kind: ClassVar[str] = "site_held"
    id: Name
    at: At
    number: Count
    sha256: Annotated[str, Len(64, 64)]


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
