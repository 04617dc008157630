"""Who may open a door now, and why: one rule that the hub and every door share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kokubus.case import Case, case_of, timeless
from kokubus.decision import Decision, Detail, Moment, Reason, State, Step, Tap
from kokubus.messages import Instant, PolicyNumber, Side
from kokubus.rights import (
    AntiPassback,
    DoorRules,
    ModeKind,
    Policy,
    RightKind,
    Window,
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

    A stale policy holds no door open either, so that a door without a hub locks again. With
    an untrusted clock only what has no time bound counts, rights only where the door says
    so; a mode cannot be known to have ended, so a lockdown holds and free passage does not.
    Whatever is malformed or goes wrong inside is a denial, ``rule_error``.
    """
    steps: list[Step] = []
    try:
        return _decide(case_of(policy, state, tap, now), steps)
    except Exception:  # fails closed: no input may open a door by breaking a rule
        return Decision(
            granted=False,
            reason=Reason.RULE_ERROR,
            steps=(*steps, Step("error", "denied")),
            policy=_number(policy),
        )


def _number(policy: Policy) -> PolicyNumber | None:
    number = getattr(policy, "number", None) if isinstance(policy, Policy) else None
    return number if isinstance(number, PolicyNumber) else None


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


def passes_freely(policy: Policy, door: DoorRules, now: Moment) -> bool:
    """Whether the bolt is held back: free passage, no lockdown, and a policy not stale."""
    return (
        mode_holds(door, ModeKind.FREE_PASSAGE, now)
        and not mode_holds(door, ModeKind.LOCKDOWN, now)
        and not _is_stale(policy, now)
    )


def _is_stale(policy: Policy, now: Moment) -> bool:
    return policy.max_age_ms is not None and now.policy_age_ms >= policy.max_age_ms


def _door(case: Case) -> _Verdict | None:
    return None if case.rules else _deny(Reason.DOOR_UNKNOWN)


def _lockdown(case: Case) -> _Verdict | None:
    if not mode_holds(case.door, ModeKind.LOCKDOWN, case.now):
        return None
    badge = case.badge
    return None if badge and badge.override_lockdown else _deny(Reason.LOCKDOWN)


def _free_passage(case: Case) -> _Verdict | None:
    free = passes_freely(case.policy, case.door, case.now)
    return _grant(Reason.FREE_PASSAGE) if free else None


def _badge(case: Case) -> _Verdict | None:
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


def _member(case: Case) -> _Verdict | None:
    return _deny(Reason.MEMBER_SUSPENDED) if case.known_badge.suspended else None


def _keyholder(case: Case) -> _Verdict | None:
    badge = case.known_badge
    if case.tap.door not in badge.keyholder:
        return None
    if not (case.now.trusted or timeless(badge)):
        return None  # a badge that has ended must not come back to life with a power cut
    case.flags.append("keyholder_used")
    return _grant(Reason.KEYHOLDER)


def _stale(case: Case) -> _Verdict | None:
    return _deny(Reason.POLICY_STALE) if _is_stale(case.policy, case.now) else None


def _closed(case: Case) -> _Verdict | None:
    if not case.now.trusted:
        return None
    until = case.now.at
    for start, end in sorted(case.door.closures):
        if start <= until < end:  # one closure may follow another without a gap
            until = end
    return _deny(Reason.CLOSED, until=until) if until > case.now.at else None


def _passback(case: Case) -> _Verdict | None:
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


def _booked(case: Case) -> _Verdict | None:
    for key, right in case.rights_here(RightKind.BOOKED):
        if case.holds(right):
            return _grant(Reason.BOOKED, key)
    return None


def _entitled_right(case: Case) -> str | None:
    rights = case.rights_here(RightKind.ENTITLED)
    return next((key for key, right in rights if case.holds(right)), None)


def _full(case: Case) -> _Verdict | None:
    free = case.state.free_places
    if free is None or free > 0 or case.tap.side is Side.OUT:
        return None
    return _deny(Reason.ROOM_FULL) if _entitled_right(case) else None


def _entitled(case: Case) -> _Verdict | None:
    key = _entitled_right(case)
    return _grant(Reason.ENTITLED, key) if key else None


def _nearest(case: Case) -> _Verdict:
    if not case.now.trusted:
        return _deny(Reason.CLOCK_UNTRUSTED)
    found = [window for _, right in case.here for window in case.widened(right)]
    elsewhere = [right for right in case.elsewhere() if case.holds(right)]
    booked = [right for right in elsewhere if right.kind is RightKind.BOOKED]
    if booked or (elsewhere and not found):
        return _deny(Reason.WRONG_PLACE, where=(booked or elsewhere)[0].rooms[0])
    return _missed(found, case.now.at) if found else _deny(Reason.NO_BOOKING)


def _missed(windows: list[Window], at: Instant) -> _Verdict:
    """The nearest window; of two as near, the one that lies ahead."""
    start, end = min(windows, key=lambda window: _distance(window, at))
    if at < start:
        return _deny(Reason.TOO_EARLY, **{"from": start})
    return _deny(Reason.TOO_LATE, since=end)


def _distance(window: Window, at: Instant) -> tuple[int, bool]:
    start, end = window
    return (start - at, False) if at < start else (at - end, True)


_ORDER: tuple[tuple[str, Callable[[Case], _Verdict | None]], ...] = (
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


_PASSED = {rule: Step(rule, "passed") for rule, _ in _ORDER}


def _decide(case: Case, steps: list[Step]) -> Decision:
    for rule, check in _ORDER:
        verdict = check(case)
        if verdict is None:
            steps.append(_PASSED[rule])
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
