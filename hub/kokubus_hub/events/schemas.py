"""Events in JSON: of every tap the three facts, never one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from kokubus_hub.events.service import Entry, Filter
from kokubus_hub.times import Time, iso

Slug = Annotated[str, StringConstraints(min_length=1, max_length=64)]
INSTANTS = frozenset({"from", "since", "until"})


class DecisionOut(BaseModel):
    """What the hub answered. ``reason`` is a code; ``detail`` holds what it needs."""

    at: Time | None
    granted: bool
    reason: str
    detail: dict[str, str]
    flags: list[str]
    right: str | None = Field(description="The booking (b...) or standing right (e...)")


class PolicyOut(BaseModel):
    """The number of the policy a door held."""

    epoch: int
    n: int


class EnforcedOut(BaseModel):
    """What the door did, whether it was told to or decided by itself, and what it held."""

    at: Time
    by: Literal["hub", "edge"]
    granted: bool
    reason: str
    policy: PolicyOut | None
    policy_age_ms: int


class EntryOut(BaseModel):
    """Whether somebody then went through."""

    at: Time
    entered: bool
    side: Literal["in", "out"] | None


class EventOut(BaseModel):
    """A tap. ``decision`` is null where it came too late to be decided by the hub."""

    id: int
    tap: str
    at: Time
    received_at: Time
    site: str | None
    door: str | None
    side: Literal["in", "out"]
    clock: Literal["synced", "holdover", "untrusted"]
    member: str | None
    badge: int | None
    late: bool
    flags: list[str] = Field(description="`revoked_meanwhile`: granted while nobody could know")
    decision: DecisionOut | None
    enforced: EnforcedOut | None
    entry: EntryOut | None

    @classmethod
    def of(cls, row: Row[Any], entry: Entry | None) -> EventOut:
        """A tap's row, and what came of it."""
        return cls(
            id=row.id,
            tap=row.tap,
            at=row.at,
            received_at=row.received_at,
            site=row.site,
            door=row.door,
            side=row.side,
            clock=row.clock,
            member=row.member,
            badge=row.badge_id,
            late=row.late,
            flags=row.flags or [],
            decision=_decision(row),
            enforced=_enforced(row),
            entry=EntryOut.model_validate(entry, from_attributes=True) if entry else None,
        )


class EventQuery(BaseModel):
    """Which rows: newest first before ``before``, or oldest first after ``after``."""

    site: Slug | None = None
    door: Slug | None = None
    member: Slug | None = None
    before: int | None = Field(default=None, ge=0, le=2**53)
    after: int | None = Field(default=None, ge=0, le=2**53)
    limit: int = Field(default=100, ge=1, le=500)

    @property
    def filter(self) -> Filter:
        """The same, as the service wants it."""
        return Filter(**self.model_dump())


class EventPage(BaseModel):
    """Taps; ``next`` is the following page's ``before`` (or ``after``, if that was given)."""

    items: list[EventOut]
    next: int | None


class PassageOut(BaseModel):
    """Somebody went through a door: after a tap, a command, request-to-exit, or none."""

    id: int
    at: Time
    site: str
    door: str
    side: Literal["in", "out"] | None
    tap: str | None
    command: str | None
    exit_requested: bool
    member: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> PassageOut:
        """A passage's row."""
        return cls.model_validate(row, from_attributes=True)


class PassagePage(BaseModel):
    """Passages; ``next`` as for events."""

    items: list[PassageOut]
    next: int | None


def _decision(row: Row[Any]) -> DecisionOut | None:
    if row.granted is None:
        return None
    return DecisionOut(
        at=row.decided_at,
        granted=row.granted,
        reason=row.reason or "",
        detail={name: _detail(name, value) for name, value in (row.detail or {}).items()},
        flags=row.flags or [],
        right=row.right,
    )


def _detail(name: str, value: Any) -> str:
    return iso(value) if name in INSTANTS and isinstance(value, int) else str(value)


def _enforced(row: Row[Any]) -> EnforcedOut | None:
    if row.enforced is None:
        return None
    return EnforcedOut(
        at=row.enforced_at,
        by=row.by,
        granted=row.enforced,
        reason=row.enforced_reason,
        policy=None if row.door_n is None else PolicyOut(epoch=row.door_epoch, n=row.door_n),
        policy_age_ms=row.policy_age_ms,
    )
