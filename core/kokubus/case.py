"""One access question laid out for the rules of `kokubus.access`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kokubus.decision import Moment, State, Tap
from kokubus.rights import BadgeRules, DoorRules, Policy, Right, RightKind, Window, unbounded
from kokubus.soundness import known_sound, sound


@dataclass(slots=True)
class Case:
    """One question with all a rule may look at."""

    policy: Policy
    state: State
    tap: Tap
    now: Moment
    rules: DoorRules | None
    badge: BadgeRules | None
    rights: list[tuple[str, Right]]
    here: list[tuple[str, Right]]
    flags: list[str] = field(default_factory=list)

    @property
    def door(self) -> DoorRules:
        """The door asked about, once rule 1 has found it."""
        assert self.rules is not None  # noqa: S101 - decide has answered otherwise
        return self.rules

    @property
    def known_badge(self) -> BadgeRules:
        """The badge asked about, once rule 4 has found it."""
        assert self.badge is not None  # noqa: S101 - decide has answered otherwise
        return self.badge

    def rights_here(self, kind: RightKind) -> Iterator[tuple[str, Right]]:
        """The member's rights of this kind to a room behind the door."""
        return (pair for pair in self.here if pair[1].kind is kind)

    def elsewhere(self) -> Iterator[Right]:
        """The member's rights to other rooms."""
        rooms = self.door.rooms
        return (right for _, right in self.rights if right.rooms and not _meet(right.rooms, rooms))

    def margins(self, right: Right) -> tuple[int, int]:
        """The door's lead and grace, where they apply to the right."""
        plain = right.exact or right.kind is not RightKind.BOOKED
        return (0, 0) if plain else (self.door.lead_ms, self.door.grace_ms)

    def widened(self, right: Right) -> list[Window]:
        """The right's windows, each from lead before to grace after."""
        lead, grace = self.margins(right)
        return [(start - lead, end + grace) for start, end in self.policy.windows_of(right)]

    def holds(self, right: Right) -> bool:
        """Whether the right is in force now, as far as the clock can be believed."""
        return self._covers_now(right) and known_sound(right, Right)

    def _covers_now(self, right: Right) -> bool:
        if not self.now.trusted:
            always = unbounded(right) and timeless(self.known_badge)
            return always and self.door.opens_without_clock
        if unbounded(right):
            return True
        at, (lead, grace) = self.now.at, self.margins(right)
        return any(start - lead <= at < end + grace for start, end in self.policy.windows_of(right))


def case_of(policy: Policy, state: State, tap: Tap, now: Moment) -> Case:
    """What the rules look at; TypeError if any of it is not what it should be."""
    limit = policy.max_age_ms
    asked = sound(tap, Tap) and sound(state, State) and sound(now, Moment)
    if not (asked and (limit is None or isinstance(limit, int))):
        raise TypeError("the question is malformed")
    rules = policy.content.doors.get(tap.door)
    badge = policy.content.badges.get(tap.badge)
    rights = policy.rights_of(badge.member) if badge else []
    known = (rules is None or known_sound(rules, DoorRules)) and (
        badge is None or known_sound(badge, BadgeRules)
    )
    if not known:
        raise TypeError("the policy is malformed")
    here = [pair for pair in rights if _meet(pair[1].rooms, rules.rooms)] if rules else []
    return Case(policy, state, tap, now, rules, badge, rights, here)


def _meet(rooms: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return not set(rooms).isdisjoint(others)


def timeless(badge: BadgeRules) -> bool:
    """Whether a badge is valid without an end or a beginning."""
    return badge.start is None and badge.end is None
