"""The words of an access decision: what is asked, what is known, what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kokubus.messages import Instant, PolicyNumber, Side

Detail = Mapping[str, int | str]


class Reason(StrEnum):
    """Why a door opened or stayed shut. Codes everywhere; words only in templates."""

    DOOR_UNKNOWN = "door_unknown"
    LOCKDOWN = "lockdown"
    FREE_PASSAGE = "free_passage"
    BADGE_UNKNOWN = "badge_unknown"
    BADGE_BLOCKED = "badge_blocked"
    BADGE_EXPIRED = "badge_expired"
    BADGE_TOO_WEAK = "badge_too_weak"
    MEMBER_SUSPENDED = "member_suspended"
    KEYHOLDER = "keyholder"
    POLICY_STALE = "policy_stale"
    CLOSED = "closed"
    ALREADY_INSIDE = "already_inside"
    BOOKED = "booked"
    ROOM_FULL = "room_full"
    ENTITLED = "entitled"
    CLOCK_UNTRUSTED = "clock_untrusted"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    WRONG_PLACE = "wrong_place"
    NO_BOOKING = "no_booking"
    RULE_ERROR = "rule_error"
    HUB_UNREACHABLE = "hub_unreachable"
    HUB_CANNOT_RECORD = "hub_cannot_record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """What is asked: this badge lookup at this door, on this side, read this surely."""

    door: str
    badge: str
    side: Side = Side.IN
    assurance: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a policy cannot know; None means unknown. ``free_places`` of the door's room."""

    inside: bool | None = None
    free_places: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When it is asked, whether the clock is trusted, and how old the policy is."""

    at: Instant
    trusted: bool = True
    policy_age_ms: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One rule's finding: ``passed``, ``granted`` or ``denied``."""

    rule: str
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, with every step that led to it.

    ``detail`` holds what the reason needs: ``from``, ``since``, ``until`` (instants) or
    ``where`` (a room id). ``flags`` are findings that did not change the answer.
    """

    granted: bool
    reason: Reason
    detail: Detail = field(default_factory=dict)
    right: str | None = None
    flags: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    policy: PolicyNumber | None = None
