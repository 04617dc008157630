"""One door as a state machine: what happened goes in, what is to be done comes out.

Nothing here waits, sends or moves: `react` returns the door's next state and a list of acts,
and the agent performs them. The bolt is drawn for a grant (the hub's within the deadline, or
the door's own afterwards), for a command, for a request-to-exit where the lock needs one,
and while a free passage holds; for nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from kokubus import messages as facts
from kokubus.decision import Reason
from kokubus.door_keypad import listen_again, locked_out, refuse_code, show, tried
from kokubus.door_leaving import may_leave, still_leaving
from kokubus.door_state import TAPS_KEPT, Door, DoorSpec, Opening, Pending, Reaction
from kokubus.door_steps import (
    decide_here,
    dimmed,
    done,
    draw,
    enforce,
    expected,
    follow_modes,
    locked_down,
    overdue,
    overstayed,
    passages,
    refusal,
    relock,
    rest,
    rules_of,
    unlock,
    unused,
    with_ids,
    without,
)
from kokubus.happenings import (
    Act,
    Answered,
    BadgeMisread,
    BadgeSeen,
    CodeEntered,
    CodeJudged,
    Commanded,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    ExitReleased,
    Happening,
    Judge,
    Light,
    Now,
    Pattern,
    PolicyChanged,
    ReaderChanged,
    Send,
    TamperChanged,
    Ticked,
)
from kokubus.messages import By, CodeOutcome

__all__ = ["Door", "DoorSpec", "anew", "next_wake", "react"]


def react(door: Door, happening: Happening, now: Now) -> Reaction:
    """The door after ``happening``, and what to do. What concerns another door does nothing."""
    if getattr(happening, "door", door.spec.id) != door.spec.id:
        return door, []
    door, due = _time_passed(door, now)
    door, acts = _react(happening, door, now)
    return door, with_ids(due + acts, door, now)


def next_wake(door: Door) -> int | None:
    """Monotonic instant at which `Ticked` is due at the latest; None if nothing is awaited."""
    times = [p.deadline for p in door.pending] + [o.until for o in door.openings]
    times += [at for at in (door.lit_until, door.attempts.until) if at is not None]
    if door.held_from is not None and not (door.held or door.free):
        times.append(door.held_from)
    return min(times, default=None)


def idle(door: Door, mono: int) -> bool:
    """Whether nobody is at it: shut, locked, and nobody is waiting or expected."""
    shut = not door.open and not door.free and (door.drawn_until or 0) <= mono
    return shut and not door.pending and not door.openings and not door.leaving


def anew(door: Door) -> Door:
    """What a door keeps when it could not be followed any further; it is to be locked."""
    kept = Door(door.spec, door.policy, door.taps, open=door.open)
    return replace(kept, reads=door.reads, tampered=door.tampered, attempts=door.attempts)


@singledispatch
def _react(happening: Happening, door: Door, now: Now) -> Reaction:
    del door, now
    raise TypeError(f"a door cannot react to {type(happening).__name__}")


@_react.register
def _(seen: BadgeSeen, door: Door, now: Now) -> Reaction:
    if seen.tap in door.taps:
        return door, []
    if seen.typed and locked_out(door):
        return show(door, Pattern.LOCKED_OUT, now)
    door = replace(door, taps=(*door.taps, seen.tap)[-TAPS_KEPT:])
    tapped = facts.BadgeTapped(
        id=seen.tap,
        at=now.at,
        door=seen.door,
        side=seen.side,
        sealed=seen.sealed,
        assurance=seen.assurance,
        deadline_ms=door.spec.deadline_ms,
    )
    if not now.linked:
        door, acts = decide_here(door, seen, now, Reason.HUB_UNREACHABLE)
        return door, [Send(tapped), *acts]
    waiting = Pending(seen, now.mono + door.spec.deadline_ms)
    door = replace(door, pending=(*door.pending, waiting))
    return door, [Send(tapped), Light(Pattern.WAITING)]


@_react.register
def _(entered: CodeEntered, door: Door, now: Now) -> Reaction:
    if locked_out(door):
        shut_out = CodeJudged(door=entered.door, side=entered.side, outcome=CodeOutcome.LOCKED_OUT)
        return refuse_code(door, shut_out, now)
    rules = rules_of(door)
    return door, [Light(Pattern.WAITING), Judge(entered, rules.code_from if rules else 0)]


@_react.register
def _(answered: Answered, door: Door, now: Now) -> Reaction:
    decided = answered.decided
    waiting = next((p for p in door.pending if p.seen.tap == decided.tap), None)
    if waiting is None:
        return door, []  # unknown, answered already, or too late
    door = without(door, waiting)
    if not decided.recorded:
        return decide_here(door, waiting.seen, now, Reason.HUB_CANNOT_RECORD)
    enforced = facts.Enforced(
        id="",
        at=now.at,
        tap=decided.tap,
        door=door.spec.id,
        by=By.HUB,
        granted=decided.granted,
        reason=decided.reason,
        policy=decided.policy or (door.policy.number if door.policy else None),
        policy_age_ms=max(0, now.policy_age_ms),
    )
    return enforce(door, waiting.seen, enforced, now)


@_react.register
def _(commanded: Commanded, door: Door, now: Now) -> Reaction:
    if why := refusal(commanded, door, now):
        return door, [Send(done(commanded.command, now, *why))]
    started = Send(done(commanded.command, now, "started"))
    return draw(door, Opening(0, None, command=commanded.command), now, [started])


@_react.register
def _(_opened: ContactOpened, door: Door, now: Now) -> Reaction:
    if door.open:
        return door, []
    changed = facts.ContactChanged(id="", at=now.at, door=door.spec.id, open=True)
    held_from = now.mono + door.spec.permitted_open_ms
    opened = replace(door, open=True, opened_at=now.at, held_from=held_from)
    if door.open is None and not door.openings:
        return opened, [Send(changed)]  # found open: nobody can say since when or by whom
    if not expected(door, now):
        unannounced = facts.DoorForced if door.spec.reports_exit else facts.PassageSeen
        return opened, [Send(changed), Send(unannounced(id="", at=now.at, door=door.spec.id))]
    opened, seen = passages(opened, now)
    return opened, [Send(changed), *seen]


@_react.register
def _(_closed: ContactClosed, door: Door, now: Now) -> Reaction:
    if door.open is False:
        return door, []
    acts: list[Act] = [Send(facts.ContactChanged(id="", at=now.at, door=door.spec.id, open=False))]
    closed = replace(door, open=False, held=False, held_from=None)
    if door.held:
        clear = facts.DoorHeldClear(id="", at=now.at, door=door.spec.id, since=door.opened_at)
        acts += [Send(clear), Light(rest(closed))]
    closed, locked = relock(closed, now)
    return (may_leave(closed, now) if closed.leaving else closed), acts + locked


@_react.register
def _(pressed: ExitPressed, door: Door, now: Now) -> Reaction:
    requested = Send(facts.ExitRequested(id="", at=now.at, door=door.spec.id))
    door = may_leave(replace(door, leaving=pressed.lasting), now)
    door, drawn = unlock(door, now) if door.spec.exit_unlocks else (door, [])
    return door, [requested, *drawn]


@_react.register
def _(_released: ExitReleased, door: Door, now: Now) -> Reaction:
    waiting = any(opening.exit_requested for opening in door.openings)
    door = replace(door, leaving=False)
    return (may_leave(door, now) if waiting else door), []


@_react.register
def _(changed: TamperChanged, door: Door, now: Now) -> Reaction:
    if changed.tampered == door.tampered:
        return door, []
    alarm = facts.DeviceAlarmed(
        id="", at=now.at, alarm="tamper", active=changed.tampered, door=door.spec.id
    )
    return replace(door, tampered=changed.tampered), [Send(alarm)]


@_react.register
def _(judged: CodeJudged, door: Door, now: Now) -> Reaction:
    if judged.outcome is CodeOutcome.ACCEPTED and locked_down(door, now):
        judged = replace(judged, outcome=CodeOutcome.LOCKDOWN)
    if judged.outcome is not CodeOutcome.ACCEPTED:
        return refuse_code(door, judged, now)
    return draw(door, Opening(0, judged.side), now, [tried(judged, now)])


@_react.register
def _(_misread: BadgeMisread, door: Door, now: Now) -> Reaction:
    return show(door, Pattern.TRY_AGAIN, now)


@_react.register
def _(changed: ReaderChanged, door: Door, now: Now) -> Reaction:
    del now
    if changed.works == door.reads:
        return door, []
    door = replace(door, reads=changed.works)
    return door, [] if door.lit_until is not None else [Light(rest(door))]


@_react.register
def _(changed: PolicyChanged, door: Door, now: Now) -> Reaction:
    return follow_modes(replace(door, policy=changed.policy), now)


@_react.register
def _(_ticked: Ticked, door: Door, now: Now) -> Reaction:
    del now
    return door, []


def _time_passed(door: Door, now: Now) -> Reaction:
    """What is due comes first, so that no happening overtakes a deadline before it."""
    acts: list[Act] = []
    for step in (follow_modes, listen_again, overdue, still_leaving, unused, overstayed, dimmed):
        door, more = step(door, now)
        acts += more
    return door, acts
