"""A door's policy on disk: the document, and beside it how long it has been in force.

The two are apart because the first may be a megabyte and changes with the policy, while the
second is a line and changes with every renewal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from kokubus.errors import PolicyError
from kokubus.messages import Instant, PolicyNumber
from kokubus.policy_book import Book, read
from kokubus.rights import Policy
from kokubus.wire import canonical
from kokubus_edge.atomic import write_atomically
from kokubus_edge.clock import Timepiece

log = structlog.get_logger(__name__)

REMEMBER_MS = 300_000
"""How often a policy's age is to be written; a boot ages it by as much."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, PolicyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A policy in force; ``carried_ms`` had passed since its last renewal at ``since``.

    ``since`` is monotonic; deltas build on ``book``.
    """

    book: Book
    number: PolicyNumber
    sha256: str
    issued_at: Instant
    carried_ms: int
    since: int

    @property
    def policy(self) -> Policy:
        """What is decided by."""
        return self.book.policy

    def age_ms(self, clock: Timepiece) -> int:
        """Since the hub last stood by it: by wall time or by uptime, whichever is more."""
        return max(0, clock.now() - self.issued_at, self.carried(clock))

    def carried(self, clock: Timepiece) -> int:
        """Since the hub last stood by it, by accumulated uptime."""
        return self.carried_ms + max(0, clock.mono() - self.since)

    def renewed(self, issued_at: Instant, expires_at: Instant, since: int) -> Held:
        """The same, stood by once more; the same policy object where its lifetime is the same."""
        policy, lifetime = self.policy, lifetime_ms(issued_at, expires_at)
        if lifetime != policy.max_age_ms:
            policy = policy.changed(policy.content, set(), policy.number, lifetime)
        book = replace(self.book, policy=policy)
        return replace(self, book=book, issued_at=issued_at, carried_ms=0, since=since)


def lifetime_ms(issued_at: Instant, expires_at: Instant) -> int:
    """How long it may be used without a renewal; PolicyError if that is not positive."""
    if expires_at <= issued_at:
        raise PolicyError(f"expires at {expires_at}, before it was issued at {issued_at}")
    return expires_at - issued_at


def hold(
    book: Book,
    number: PolicyNumber,
    sha256: str,
    *,
    issued_at: Instant,
    since: int,
) -> Held:
    """A policy to be decided by; PolicyError if it is not what its hash says."""
    if book.fingerprint() != sha256:
        raise PolicyError(f"policy {number}: its hash does not fit")
    return Held(
        book=book,
        number=number,
        sha256=sha256,
        issued_at=issued_at,
        carried_ms=0,
        since=since,
    )


class PolicyFile:
    """``policy.json`` and ``policy-age.json`` in ``folder``; every method waits for the disk."""

    def __init__(self, folder: Path, clock: Timepiece) -> None:
        self._file = folder / "policy.json"
        self._age_file = folder / "policy-age.json"
        self._clock = clock

    def read(self) -> Held | None:
        """What is there, as old as it is; raises one of `UNREADABLE` if it is damaged."""
        if not self._file.exists():
            return None
        raw = json.loads(self._file.read_bytes())
        number = PolicyNumber(*map(int, raw["number"]))
        held = hold(
            read(raw["document"], number, int(raw["lifetime_ms"])),
            number,
            raw["sha256"],
            issued_at=int(raw["issued_at"]),
            since=self._clock.mono(),
        )
        return self._aged(held)

    def write(self, held: Held) -> None:
        """Both files; OSError if the disk refuses."""
        head = canonical(_head(held))[:-1] + b',"document":'
        write_atomically(self._file, b"".join([head, *held.book.encoded(), b"}"]))
        self.write_age(held)

    def write_age(self, held: Held) -> None:
        """The small file alone; OSError if the disk refuses."""
        clock = self._clock
        passed = {"carried_ms": held.carried(clock), "boot": clock.boot, "mono": clock.mono()}
        write_atomically(self._age_file, canonical(_head(held) | passed))

    def set_aside(self) -> str:
        """Move a damaged policy away; the name it has now. OSError if the disk refuses."""
        aside = self._file.with_name(f"{self._file.name}.damaged")
        self._file.replace(aside)
        return aside.name

    def _aged(self, held: Held) -> Held:
        """With what the small file adds; without it, it is judged from when it was issued."""
        try:
            age = json.loads(self._age_file.read_bytes())
            if (age["number"], age["sha256"]) != (_head(held)["number"], held.sha256):
                return replace(held, carried_ms=REMEMBER_MS)
            issued_at, lifetime = int(age["issued_at"]), int(age["lifetime_ms"])
            renewed = held.renewed(issued_at, issued_at + lifetime, held.since)
            return replace(renewed, carried_ms=int(age["carried_ms"]) + self._since(age))
        except UNREADABLE as error:
            log.warning("policy_age_lost", error=str(error))
            return replace(held, carried_ms=REMEMBER_MS)

    def _since(self, age: dict[str, Any]) -> int:
        """What passed since the small file was written, at least."""
        if age["boot"] == self._clock.boot:
            return max(0, self._clock.mono() - int(age["mono"]))
        return REMEMBER_MS


def _head(held: Held) -> dict[str, Any]:
    return {
        "number": [held.number.epoch, held.number.n],
        "sha256": held.sha256,
        "issued_at": held.issued_at,
        "lifetime_ms": held.policy.max_age_ms,
    }
