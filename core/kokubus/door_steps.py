"""What follows at a door: a decision enforced, a passage seen, a grant unused, a mode ended.

Facts are made without an id here; `with_ids` gives each its own at the end of a reaction.
"""

from __future__ import annotations

from dataclasses import replace

from kokubus import messages as facts
from kokubus.access import decide, mode_holds
from kokubus.decision import Moment, Reason, State, Tap
from kokubus.door_state import Door, Opening, Pending, Reaction
from kokubus.happenings import (
    Act,
    BadgeSeen,
    Beep,
    Commanded,
    HoldBack,
    Light,
    Lock,
    Now,
    Pattern,
    Send,
    Unlock,
)
from kokubus.messages import By
from kokubus.rights import ModeKind


def without(door: Door, pending: Pending) -> Door:
    return replace(door, pending=tuple(p for p in door.pending if p is not pending))


def overdue(door: Door, now: Now) -> Reaction:
    acts: list[Act] = []
    for pending in door.pending:
        if pending.deadline <= now.mono:
            door = without(door, pending)
            door, more = decide_here(door, pending.seen, now, Reason.HUB_UNREACHABLE)
            acts += more
    return door, acts


def decide_here(door: Door, seen: BadgeSeen, now: Now, without: Reason) -> Reaction:
    """Decide on the door's own policy; without one, deny with the reason ``without``."""
    enforced = facts.Enforced(
        id="",
        at=now.at,
        tap=seen.tap,
        door=door.spec.id,
        by=By.EDGE,
        granted=False,
        reason=without,
        policy_age_ms=max(0, now.policy_age_ms),
    )
    if door.policy is not None:
        tap = Tap(door=seen.door, badge=seen.lookup, side=seen.side, assurance=seen.assurance)
        moment = Moment(at=now.at, trusted=now.trusted, policy_age_ms=now.policy_age_ms)
        decision = decide(door.policy, State(), tap, moment)
        enforced = replace(
            enforced,
            granted=decision.granted,
            reason=decision.reason,
            policy=door.policy.number,
        )
    return enforce(door, seen, enforced, now)


def enforce(door: Door, seen: BadgeSeen, enforced: facts.Enforced, now: Now) -> Reaction:
    if not enforced.granted:
        return door, [Light(Pattern.DENIED), Beep(Pattern.DENIED), Send(enforced)]
    return draw(door, Opening(0, seen.side, tap=seen.tap), now, [Send(enforced)])


def draw(door: Door, opening: Opening, now: Now, said: list[Act]) -> Reaction:
    """Draw the bolt; through a door that stands open somebody passes at once."""
    acts: list[Act] = [] if door.free else [Unlock(door.spec.pulse_ms)]
    acts += [Light(Pattern.GRANTED), Beep(Pattern.GRANTED), *said]
    opening = replace(opening, until=now.mono + door.spec.pulse_ms)
    if not door.spec.has_contact:
        return door, acts + _unseen(opening, now)
    if door.open:
        return door, acts + _passage(door, opening, now)
    return replace(door, openings=(*door.openings, opening)), acts


def _unseen(opening: Opening, now: Now) -> list[Act]:
    if opening.command is None:
        return []
    return [Send(done(opening.command, now, "opened", "this door has no contact"))]


def passages(door: Door, now: Now) -> list[Act]:
    """One passage for each that was let through; an exit only if nobody else was."""
    let = [o for o in door.openings if not o.exit_requested] or list(door.openings)
    if not let and door.free:
        let = [Opening(now.mono, None)]
    return [act for opening in let for act in _passage(door, opening, now)]


def _passage(door: Door, opening: Opening, now: Now) -> list[Act]:
    seen = facts.PassageSeen(
        id="",
        at=now.at,
        door=door.spec.id,
        side=opening.side,
        tap=opening.tap,
        command=opening.command,
        exit_requested=opening.exit_requested,
    )
    if opening.command is None:
        return [Send(seen)]
    return [Send(seen), Send(done(opening.command, now, "opened"))]


def unused(door: Door, now: Now) -> Reaction:
    """Grants that nobody used; an exit that was not used is no event."""
    over = [o for o in door.openings if o.until <= now.mono]
    if not over:
        return door, []
    door = replace(door, openings=tuple(o for o in door.openings if o.until > now.mono))
    acts: list[Act] = []
    for opening in over:
        acts += [] if opening.exit_requested else _no_entry(door, opening, now)
    return door, [*acts, *([] if door.openings else [Light(rest(door))])]


def _no_entry(door: Door, opening: Opening, now: Now) -> list[Act]:
    unused = facts.NoEntry(
        id="", at=now.at, door=door.spec.id, tap=opening.tap, command=opening.command
    )
    if opening.command is None:
        return [Send(unused)]
    return [Send(unused), Send(done(opening.command, now, "no_entry"))]


def overstayed(door: Door, now: Now) -> Reaction:
    if door.held or door.free or door.held_from is None or now.mono < door.held_from:
        return door, []
    held = facts.DoorHeld(id="", at=now.at, door=door.spec.id, since=door.opened_at)
    return replace(door, held=True), [Send(held), Light(Pattern.HELD), Beep(Pattern.HELD)]


def follow_modes(door: Door, now: Now) -> Reaction:
    free = _mode(door, ModeKind.FREE_PASSAGE, now) and not _mode(door, ModeKind.LOCKDOWN, now)
    if free == door.free:
        return door, []
    door = replace(door, free=free)
    return door, [HoldBack() if free else Lock(), Light(rest(door))]


def _mode(door: Door, kind: ModeKind, now: Now) -> bool:
    """Whether a mode of the door's policy holds; a stale policy holds no door open."""
    policy = door.policy
    rules = policy.content.doors.get(door.spec.id) if policy else None
    if policy is None or rules is None:
        return False
    stale = policy.max_age_ms is not None and now.policy_age_ms >= policy.max_age_ms
    if stale and kind is ModeKind.FREE_PASSAGE:
        return False
    return mode_holds(rules, kind, Moment(at=now.at, trusted=now.trusted))


def refusal(commanded: Commanded, door: Door, now: Now) -> tuple[str, str] | None:
    if not commanded.fresh:
        return "repeated", "this command was carried out before"
    if not now.trusted:
        return "refused", Reason.CLOCK_UNTRUSTED
    if now.at >= commanded.expires_at:
        return "expired", "command_expired"
    if _mode(door, ModeKind.LOCKDOWN, now):
        return "refused", Reason.LOCKDOWN
    return None


def done(command: str, now: Now, outcome: str, detail: str = "") -> facts.CommandDone:
    return facts.CommandDone(id="", at=now.at, command=command, outcome=outcome, detail=detail)


def rest(door: Door) -> Pattern:
    return Pattern.FREE if door.free else Pattern.IDLE


def with_ids(acts: list[Act], now: Now) -> list[Act]:
    """Facts are made without an id; here each gets its own."""
    return [
        Send(replace(act.fact, id=now.fact_id(number)))
        if isinstance(act, Send) and not act.fact.id
        else act
        for number, act in enumerate(acts)
    ]
