"""What a policy holds: doors, badges, rights and schedules, as plain data.

A policy is the same shape at the hub (a slice for one tap) and at a door (everything for its
doors over the horizon). Weekly schedules, opening hours and whole-day bookings arrive here
already expanded to absolute windows, so a door needs no time zone data to judge them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from operator import itemgetter

from kokubus.messages import Instant, Name, PolicyNumber

Window = tuple[Instant, Instant]
"""Half-open: ``start <= at < end``."""


class RightKind(StrEnum):
    """Why somebody may enter."""

    BOOKED = "booked"
    ENTITLED = "entitled"


class ModeKind(StrEnum):
    """A door's mode overrides bookings while it lasts."""

    FREE_PASSAGE = "free_passage"
    LOCKDOWN = "lockdown"


class AntiPassback(StrEnum):
    """What to do when a badge enters that is already inside."""

    OFF = "off"
    FLAG = "flag"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode from ``start`` until ``end`` (None: until it is taken back)."""

    kind: ModeKind
    start: Instant
    end: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorRules:
    """What holds at one door. ``rooms`` are those it leads to; ``*_ms`` are durations.

    One-time codes of counters below ``code_from`` are used up or have lapsed.
    """

    rooms: tuple[Name, ...]
    lead_ms: int = 0
    grace_ms: int = 0
    modes: tuple[Mode, ...] = ()
    closures: tuple[Window, ...] = ()
    anti_passback: AntiPassback = AntiPassback.OFF
    reads_both_sides: bool = False
    min_assurance: int = 0
    opens_without_clock: bool = False
    code_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeRules:
    """A badge and its holder. ``keyholder`` names the doors it opens whatever else holds."""

    member: Name | None = None
    blocked: bool = False
    suspended: bool = False
    start: Instant | None = None
    end: Instant | None = None
    keyholder: tuple[Name, ...] = ()
    override_lockdown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One booking or standing right.

    Bounded by its own ``windows`` and by those of ``schedule`` (a key of the policy's
    schedules). With None for both a standing right holds at any time, and a booking never:
    a booking has an hour. An empty ``windows`` is a bound that nothing is left of, so the
    right never holds. ``exact`` means that neither lead nor grace widen it: a whole-day
    booking, which is its day's opening hours.
    """

    member: Name
    rooms: tuple[Name, ...]
    kind: RightKind = RightKind.BOOKED
    windows: tuple[Window, ...] | None = None
    schedule: Name | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """The four dictionaries of a policy, by door id, badge lookup, right id, schedule id."""

    doors: Mapping[str, DoorRules] = field(default_factory=dict)
    badges: Mapping[str, BadgeRules] = field(default_factory=dict)
    rights: Mapping[str, Right] = field(default_factory=dict)
    schedules: Mapping[str, tuple[Window, ...]] = field(default_factory=dict)


class Policy:
    """A numbered `Content` with its rights indexed by member.

    ``max_age_ms`` is how long it may be used without a renewal; None at the hub, whose own
    copy cannot be stale.
    """

    __slots__ = ("_by_member", "content", "max_age_ms", "number")

    def __init__(
        self,
        content: Content,
        number: PolicyNumber | None = None,
        max_age_ms: int | None = None,
    ) -> None:
        self.content = content
        self.number = number
        self.max_age_ms = max_age_ms
        self._by_member: dict[str, list[tuple[str, Right]]] = {}
        for key in sorted(content.rights):  # a snapshot and its deltas answer alike
            right = content.rights[key]
            self._by_member.setdefault(right.member, []).append((key, right))

    def changed(
        self,
        content: Content,
        touched: Set[str],
        number: PolicyNumber | None = None,
        max_age_ms: int | None = None,
    ) -> Policy:
        """The policy of ``content``, whose rights differ from these in ``touched`` alone."""
        made = Policy(Content(), number, max_age_ms)
        made.content, made._by_member = content, dict(self._by_member)
        rights = [
            of.rights[key] for of in (self.content, content) for key in touched & of.rights.keys()
        ]
        for member in {right.member for right in rights}:
            kept = [pair for pair in self.rights_of(member) if pair[0] not in touched]
            new = ((key, content.rights[key]) for key in touched & content.rights.keys())
            kept += [pair for pair in new if pair[1].member == member]
            made._by_member[member] = sorted(kept, key=itemgetter(0))
        return made

    def rights_of(self, member: str | None) -> list[tuple[str, Right]]:
        """(right id, right) of this member; empty if there is none."""
        return self._by_member.get(member, []) if member else []

    def windows_of(self, right: Right) -> list[Window]:
        """Each window in which the right holds; a right without any bound has none.

        A schedule the policy does not contain bounds the right to never, and a window that
        ends before it starts is none.
        """
        windows = right.windows
        if right.schedule is not None:
            scheduled = self.content.schedules.get(right.schedule, ())
            windows = scheduled if windows is None else tuple(_overlaps(windows, scheduled))
        return [(start, end) for start, end in windows or () if start < end]


def unbounded(right: Right) -> bool:
    """Whether the right holds at any time."""
    standing = right.kind is RightKind.ENTITLED
    return standing and right.windows is None and right.schedule is None


def _overlaps(left: tuple[Window, ...], right: tuple[Window, ...]) -> Iterator[Window]:
    for a_start, a_end in left:
        for b_start, b_end in right:
            yield max(a_start, b_start), min(a_end, b_end)
