"""What the hub says to a device: answers, receipts, policies and commands, all signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeAlias

from annotated_types import Len

from kokubus.messages import At, Count, Name, PolicyNumber, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDecided:
    """The hub's answer to a tap; where ``recorded`` holds it is also the tap's receipt.

    ``detail`` carries what the reason needs (``from``, ``since``, ``until``, ``where``).
    """

    kind: ClassVar[str] = "access_decided"
    tap: Name
    granted: bool
    reason: Name
    detail: Mapping[str, int | str] = field(default_factory=dict)
    policy: PolicyNumber | None = None
    recorded: bool = True
    epoch: Name
    seq: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """These numbers of this epoch are durable at the hub, or rejected for good."""

    kind: ClassVar[str] = "receipt"
    epoch: Name
    ranges: Annotated[tuple[Range, ...], Len(0, 2000)]
    rejected: tuple[Count, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySnapshot:
    """All rights at a device's doors; retained. ``content`` is `access.Policy` as JSON."""

    kind: ClassVar[str] = "policy"
    number: PolicyNumber
    sha256: Annotated[str, Len(64, 64)]
    issued_at: At
    content: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDelta:
    """What changed since ``base``; ``sha256`` is that of the whole new content."""

    kind: ClassVar[str] = "policy_delta"
    base: PolicyNumber
    number: PolicyNumber
    sha256: Annotated[str, Len(64, 64)]
    issued_at: At
    put: Mapping[str, Mapping[str, Any]]
    drop: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRenewed:
    """The policy you hold is still the one in force."""

    kind: ClassVar[str] = "policy_renewed"
    number: PolicyNumber
    sha256: Annotated[str, Len(64, 64)]
    issued_at: At


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockDoor:
    """Draw the bolt once, for somebody the operator answers for."""

    kind: ClassVar[str] = "unlock"
    command: Name
    door: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTold:
    """The hub's time is this message's ``at``; worth something only to who chose ``nonce``."""

    kind: ClassVar[str] = "time_told"
    nonce: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something the device itself is to do: ``doctor``, ``logs``, ``restart`` or ``update``.

    ``argument`` of ``logs`` is how many lines, of ``update`` ``VERSION sha256:HEX`` of the
    wheel. Executed once; the answer is `kokubus.messages.OrderDone`.
    """

    kind: ClassVar[str] = "order"
    order: Name
    what: Name
    argument: Annotated[str, Len(0, 300)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateIssued:
    """The answer to `kokubus.messages.CertificateWanted`: a certificate, PEM."""

    kind: ClassVar[str] = "certificate"
    certificate: Annotated[str, Len(1, 8_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubKeyAnnounced:
    """A key the hub will sign with: ``key`` is an Ed25519 public key, base64url.

    Signed by the one it signs with now; used once every device has said `HubKeyKept`.
    """

    kind: ClassVar[str] = "hub_key"
    kid: Name
    key: Annotated[str, Len(44, 44)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteGiven:
    """The device's part of its site's TOML, numbered; a number that is not higher is refused."""

    kind: ClassVar[str] = "site"
    number: Count
    text: Annotated[str, Len(1, 200_000)]


Downlink: TypeAlias = (
    AccessDecided
    | Receipt
    | PolicySnapshot
    | PolicyDelta
    | PolicyRenewed
    | UnlockDoor
    | TimeTold
    | Order
    | CertificateIssued
    | HubKeyAnnounced
    | SiteGiven
)
