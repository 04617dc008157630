"""What follows at a door: a decision enforced, a passage seen, a grant unused, a mode ended.

Facts are made without an id here; `with_ids` gives each its own at the end of a reaction.
"""

from __future__ import annotations

from dataclasses import replace

from kokubus import messages as facts
from kokubus.access import decide, mode_holds, passes_freely
from kokubus.decision import Moment, Reason, State, Tap
from kokubus.door_keypad import show, wrong
from kokubus.door_state import (
    CONTACT_LAG_MS,
    Door,
    Opening,
    Pending,
    Reaction,
)
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
from kokubus.rights import DoorRules, ModeKind


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
        decision = decide(door.policy, State(), tap, _moment(now))
        enforced = replace(
            enforced,
            granted=decision.granted,
            reason=decision.reason,
            policy=door.policy.number,
        )
    return enforce(door, seen, enforced, now)


def enforce(door: Door, seen: BadgeSeen, enforced: facts.Enforced, now: Now) -> Reaction:
    if not enforced.granted:
        unjudged = enforced.reason in {Reason.HUB_UNREACHABLE, Reason.HUB_CANNOT_RECORD}
        door, shown = show(door, Pattern.TRY_AGAIN if unjudged else Pattern.DENIED, now)
        guessed = seen.typed and enforced.reason == Reason.BADGE_UNKNOWN
        door, alarmed = wrong(door, now) if guessed else (door, [])
        return door, [*shown, Send(enforced), *alarmed]
    opening = Opening(0, seen.side, tap=seen.tap, badge=seen.lookup)
    return draw(door, opening, now, [Send(enforced)])


def draw(door: Door, opening: Opening, now: Now, said: list[Act]) -> Reaction:
    """Draw the bolt; through a door that stands open somebody passes at once."""
    door, acts = unlock(door, now)
    acts += [Light(Pattern.GRANTED), Beep(Pattern.GRANTED), *said]
    door = replace(door, lit_until=now.mono + door.spec.pulse_ms)
    opening = replace(opening, until=now.mono + door.spec.pulse_ms + CONTACT_LAG_MS)
    if not door.spec.has_contact:
        return door, acts + _unseen(opening, now)
    if door.open:
        return door, acts + _passage(door, opening, now)
    door, superseded = _supersede(door, opening, now)
    return replace(door, openings=(*door.openings, opening)), acts + superseded


def unlock(door: Door, now: Now) -> Reaction:
    """The bolt drawn for a pulse; while it is held back there is nothing to draw."""
    if door.free:
        return door, []
    pulse = door.spec.pulse_ms
    return replace(door, drawn_until=now.mono + pulse + CONTACT_LAG_MS), [Unlock(pulse)]


def relock(door: Door, now: Now) -> Reaction:
    """Lock behind who passed, so that nobody slips in during the rest of the pulse.

    Not on somebody who waits to leave by a lock that only the bolt's pulse opens.
    """
    drawn = door.drawn_until is not None and now.mono < door.drawn_until
    waiting = [o for o in door.openings if door.spec.exit_unlocks or not o.exit_requested]
    if door.free or not drawn or waiting:
        return door, []
    door = replace(door, drawn_until=now.mono + CONTACT_LAG_MS, lit_until=None)
    return door, [Lock(), Light(rest(door))]


def _supersede(door: Door, opening: Opening, now: Now) -> Reaction:
    """A badge tapped again before the door was opened is one person, who enters once."""
    who = (opening.badge, opening.side)
    again = [o for o in door.openings if opening.badge and (o.badge, o.side) == who]
    door = replace(door, openings=tuple(o for o in door.openings if o not in again))
    return door, [act for former in again for act in _no_entry(door, former, now)]


def _unseen(opening: Opening, now: Now) -> list[Act]:
    if opening.command is None:
        return []
    return [Send(done(opening.command, now, "opened", "this door has no contact"))]


def passages(door: Door, now: Now) -> Reaction:
    """One passage for each that was let through; an exit only if nobody else was.

    An exit that was not needed for this opening keeps its time for the next one.
    """
    let = tuple(o for o in door.openings if not o.exit_requested) or door.openings
    door = replace(door, openings=tuple(o for o in door.openings if o not in let))
    if not let and door.free:
        let = (Opening(now.mono, None),)
    return door, [act for opening in let for act in _passage(door, opening, now)]


def expected(door: Door, now: Now) -> bool:
    """Whether the door may be opened now without anybody being let through by name."""
    drawn = door.drawn_until is not None and now.mono < door.drawn_until
    return bool(door.openings) or door.free or drawn


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
    return door, acts


def dimmed(door: Door, now: Now) -> Reaction:
    """The light of an answer, once it was shown long enough."""
    if door.lit_until is None or now.mono < door.lit_until:
        return door, []
    return replace(door, lit_until=None), [Light(rest(door))]


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
    policy, rules = door.policy, rules_of(door)
    free = policy is not None and rules is not None and passes_freely(policy, rules, _moment(now))
    before, door = door, replace(door, lockdown=locked_down(door, now))
    if free == door.free:
        return door, [Light(rest(door))] if door.lockdown != before.lockdown else []
    door = replace(door, free=free, drawn_until=None if free else now.mono + CONTACT_LAG_MS)
    return door, [HoldBack() if free else Lock(), Light(rest(door))]


def rules_of(door: Door) -> DoorRules | None:
    return door.policy.content.doors.get(door.spec.id) if door.policy else None


def _moment(now: Now) -> Moment:
    return Moment(at=now.at, trusted=now.trusted, policy_age_ms=now.policy_age_ms)


def refusal(commanded: Commanded, door: Door, now: Now) -> tuple[str, str] | None:
    if not commanded.fresh:
        return "repeated", "this command was carried out before"
    if not now.trusted:
        return "refused", Reason.CLOCK_UNTRUSTED
    if now.at >= commanded.expires_at:
        return "expired", "command_expired"
    return ("refused", Reason.LOCKDOWN) if locked_down(door, now) else None


def locked_down(door: Door, now: Now) -> bool:
    """Whether a lockdown holds, which neither a command nor a code overrides."""
    rules = rules_of(door)
    return rules is not None and mode_holds(rules, ModeKind.LOCKDOWN, _moment(now))


def done(command: str, now: Now, outcome: str, detail: str = "") -> facts.CommandDone:
    return facts.CommandDone(id="", at=now.at, command=command, outcome=outcome, detail=detail)


def rest(door: Door) -> Pattern:
    """What the light shows when it shows no answer."""
    if door.pending:
        return Pattern.WAITING
    if door.held:
        return Pattern.HELD
    if door.free:
        return Pattern.FREE
    if door.lockdown:
        return Pattern.LOCKDOWN
    return Pattern.IDLE if door.reads else Pattern.OUT_OF_ORDER


def with_ids(acts: list[Act], door: Door, now: Now) -> list[Act]:
    """Facts are made without an id; here each gets its own."""
    return [
        Send(replace(act.fact, id=now.fact_id(door.spec.id, number)))
        if isinstance(act, Send) and not act.fact.id
        else act
        for number, act in enumerate(acts)
    ]
