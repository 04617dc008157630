"""Who may open a door now, and why: one rule that the hub and every door share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kokubus.decision import Decision, Detail, Moment, Reason, State, Step, Tap
from kokubus.messages import Side
from kokubus.rights import (
    AntiPassback,
    BadgeRules,
    DoorRules,
    ModeKind,
    Policy,
    Right,
    RightKind,
    Window,
    unbounded,
)


def decide(policy: Policy, state: State, tap: Tap, now: Moment) -> Decision:
    """Answer one tap. Deny first; the first rule that speaks decides.

    1. ``door_unknown``
    2. ``lockdown``, except for holders of ``override_lockdown``
    3. granted ``free_passage``: the bolt is held back, whoever taps
    4. ``badge_unknown`` / ``badge_blocked`` / ``badge_expired`` / ``badge_too_weak``
    5. ``member_suspended``
    6. granted ``keyholder``: survives 7 to 11
    7. ``policy_stale``: only a door's copy can be
    8. ``closed(until)``: a closure beats a booking
    9. ``already_inside``: anti-passback; an unknown state allows and flags
    10. granted ``booked``: start - lead <= now < end + grace; has its seat
    11. ``room_full``: flexible rights only
    12. granted ``entitled``: a standing right within its schedule
    13. the nearest reason: ``too_early(from)``, ``too_late(since)``, ``wrong_place(where)``,
        ``no_booking``; with an untrusted clock ``clock_untrusted``

    With an untrusted clock only rights without a time bound count, and only where the door
    says so; a mode cannot be known to have ended, so a lockdown holds and free passage
    does not. Whatever goes wrong inside is a denial, ``rule_error``.
    """
    try:
        return _decide(_Case(policy, state, tap, now))
    except Exception:  # fails closed: no input may open a door by breaking a rule
        return Decision(granted=False, reason=Reason.RULE_ERROR, policy=policy.number)


@dataclass(slots=True)
class _Case:
    policy: Policy
    state: State
    tap: Tap
    now: Moment
    flags: list[str] = field(default_factory=list)

    @property
    def door(self) -> DoorRules:
        return self.policy.content.doors[self.tap.door]

    @property
    def badge(self) -> BadgeRules | None:
        return self.policy.content.badges.get(self.tap.badge)

    @property
    def known_badge(self) -> BadgeRules:
        return self.policy.content.badges[self.tap.badge]

    def rights(self) -> list[tuple[str, Right]]:
        return self.policy.rights_of(self.known_badge.member)

    def rights_here(self, kind: RightKind) -> Iterator[tuple[str, Right]]:
        rooms = self.door.rooms
        for key, right in self.rights():
            if right.kind is kind and not set(right.rooms).isdisjoint(rooms):
                yield key, right

    def widened(self, right: Right) -> Iterator[Window]:
        """The right's windows with the door's lead and grace, where they apply."""
        plain = right.exact or right.kind is not RightKind.BOOKED
        lead, grace = (0, 0) if plain else (self.door.lead_ms, self.door.grace_ms)
        for start, end in self.policy.windows_of(right):
            yield start - lead, end + grace

    def holds(self, right: Right) -> bool:
        """Whether the right is in force now, as far as the clock can be believed."""
        badge = self.known_badge
        if not self.now.trusted:
            free = unbounded(right) and badge.start is None and badge.end is None
            return free and self.door.opens_without_clock
        if unbounded(right):
            return True
        return any(start <= self.now.at < end for start, end in self.widened(right))


@dataclass(frozen=True, slots=True)
class _Verdict:
    granted: bool
    reason: Reason
    detail: Detail = field(default_factory=dict)
    right: str | None = None


def _deny(reason: Reason, **detail: int | str) -> _Verdict:
    return _Verdict(False, reason, detail)  # noqa: FBT003 - the field is the verdict


def _grant(reason: Reason, right: str | None = None) -> _Verdict:
    return _Verdict(True, reason, {}, right)  # noqa: FBT003 - the field is the verdict


def mode_holds(door: DoorRules, kind: ModeKind, now: Moment) -> bool:
    """Whether a mode is in force; with an untrusted clock a lockdown is and free passage not."""
    if not now.trusted:
        return kind is ModeKind.LOCKDOWN and any(mode.kind is kind for mode in door.modes)
    return any(
        mode.kind is kind and mode.start <= now.at and (mode.end is None or now.at < mode.end)
        for mode in door.modes
    )


def _door(case: _Case) -> _Verdict | None:
    known = case.tap.door in case.policy.content.doors
    return None if known else _deny(Reason.DOOR_UNKNOWN)


def _lockdown(case: _Case) -> _Verdict | None:
    if not mode_holds(case.door, ModeKind.LOCKDOWN, case.now):
        return None
    badge = case.badge
    return None if badge and badge.override_lockdown else _deny(Reason.LOCKDOWN)


def _free_passage(case: _Case) -> _Verdict | None:
    if mode_holds(case.door, ModeKind.LOCKDOWN, case.now):
        return None  # lockdown ends free passage at once, also for those who override it
    return (
        _grant(Reason.FREE_PASSAGE)
        if mode_holds(case.door, ModeKind.FREE_PASSAGE, case.now)
        else None
    )


def _badge(case: _Case) -> _Verdict | None:
    badge, now = case.badge, case.now
    if badge is None:
        return _deny(Reason.BADGE_UNKNOWN)
    if badge.blocked:
        return _deny(Reason.BADGE_BLOCKED)
    early = badge.start is not None and now.at < badge.start
    late = badge.end is not None and now.at >= badge.end
    if now.trusted and (early or late):
        return _deny(Reason.BADGE_EXPIRED)
    weak = case.tap.assurance < case.door.min_assurance
    return _deny(Reason.BADGE_TOO_WEAK) if weak else None


def _member(case: _Case) -> _Verdict | None:
    return _deny(Reason.MEMBER_SUSPENDED) if case.known_badge.suspended else None


def _keyholder(case: _Case) -> _Verdict | None:
    if case.tap.door not in case.known_badge.keyholder:
        return None
    case.flags.append("keyholder_used")
    return _grant(Reason.KEYHOLDER)


def _stale(case: _Case) -> _Verdict | None:
    limit = case.policy.max_age_ms
    stale = limit is not None and case.now.policy_age_ms >= limit
    return _deny(Reason.POLICY_STALE) if stale else None


def _closed(case: _Case) -> _Verdict | None:
    if not case.now.trusted:
        return None
    ends = [end for start, end in case.door.closures if start <= case.now.at < end]
    return _deny(Reason.CLOSED, until=max(ends)) if ends else None


def _passback(case: _Case) -> _Verdict | None:
    rule = case.door.anti_passback
    if rule is AntiPassback.OFF or case.tap.side is Side.OUT or case.state.inside is False:
        return None
    if case.state.inside is None:
        case.flags.append("passback_unknown")
        return None
    if rule is AntiPassback.DENY and case.door.reads_both_sides:
        return _deny(Reason.ALREADY_INSIDE)
    case.flags.append("already_inside")
    return None


def _booked(case: _Case) -> _Verdict | None:
    for key, right in case.rights_here(RightKind.BOOKED):
        if case.holds(right):
            return _grant(Reason.BOOKED, key)
    return None


def _entitled_right(case: _Case) -> str | None:
    rights = case.rights_here(RightKind.ENTITLED)
    return next((key for key, right in rights if case.holds(right)), None)


def _full(case: _Case) -> _Verdict | None:
    free = case.state.free_places
    if free is None or free > 0 or case.tap.side is Side.OUT:
        return None
    return _deny(Reason.ROOM_FULL) if _entitled_right(case) else None


def _entitled(case: _Case) -> _Verdict | None:
    key = _entitled_right(case)
    return _grant(Reason.ENTITLED, key) if key else None


def _nearest(case: _Case) -> _Verdict:
    if not case.now.trusted:
        return _deny(Reason.CLOCK_UNTRUSTED)
    here = [right for kind in RightKind for _, right in case.rights_here(kind)]
    found = [_distance(case, window) for right in here for window in case.widened(right)]
    elsewhere = [right for _, right in case.rights() if right not in here and case.holds(right)]
    booked = [right for right in elsewhere if right.kind is RightKind.BOOKED]
    if booked or (elsewhere and not found):
        return _deny(Reason.WRONG_PLACE, where=(booked or elsewhere)[0].rooms[0])
    return min(found, key=lambda pair: pair[0])[1] if found else _deny(Reason.NO_BOOKING)


def _distance(case: _Case, window: Window) -> tuple[int, _Verdict]:
    start, end = window
    if case.now.at < start:
        return start - case.now.at, _deny(Reason.TOO_EARLY, **{"from": start})
    return case.now.at - end, _deny(Reason.TOO_LATE, since=end)


_ORDER: tuple[tuple[str, Callable[[_Case], _Verdict | None]], ...] = (
    ("door", _door),
    ("lockdown", _lockdown),
    ("free_passage", _free_passage),
    ("badge", _badge),
    ("member", _member),
    ("keyholder", _keyholder),
    ("stale", _stale),
    ("closed", _closed),
    ("passback", _passback),
    ("booked", _booked),
    ("full", _full),
    ("entitled", _entitled),
    ("nearest", _nearest),
)


def _decide(case: _Case) -> Decision:
    steps: list[Step] = []
    for rule, check in _ORDER:
        verdict = check(case)
        if verdict is None:
            steps.append(Step(rule, "passed"))
            continue
        steps.append(Step(rule, "granted" if verdict.granted else "denied"))
        return Decision(
            granted=verdict.granted,
            reason=verdict.reason,
            detail=verdict.detail,
            right=verdict.right,
            flags=tuple(case.flags),
            steps=tuple(steps),
            policy=case.policy.number,
        )
    raise AssertionError("the last rule always speaks")
