"""What a door does about numbers typed at its keypad that are wrong."""

from __future__ import annotations

from dataclasses import replace

from kokubus import messages as facts
from kokubus.attempts import ended, refused, released
from kokubus.door_state import DENIAL_SHOWN_MS, Door, Reaction
from kokubus.happenings import Act, Beep, CodeJudged, Light, Now, Pattern, Send
from kokubus.messages import CodeOutcome

ALARM = "keypad_locked"


def locked_out(door: Door) -> bool:
    """Whether the keypad listens to nobody for now."""
    return door.attempts.until is not None


def show(door: Door, pattern: Pattern, now: Now) -> Reaction:
    """An answer by light and sound, for as long as a denial is shown."""
    door = replace(door, lit_until=now.mono + DENIAL_SHOWN_MS)
    return door, [Light(pattern), Beep(pattern)]


def wrong(door: Door, now: Now) -> Reaction:
    """One wrong number more, said by nothing but the alarm if it is one too many."""
    after = replace(door, attempts=refused(door.attempts, now.mono))
    if locked_out(door) or not locked_out(after):
        return after, []
    return after, [_alarm(after, now)]


def listen_again(door: Door, now: Now) -> Reaction:
    """A lockout that is over ends with its alarm, and so does one from before a restart."""
    if door.spec.has_keypad and not door.keypad_told:
        door = replace(door, keypad_told=True)
        return door, [_alarm(door, now)]
    if not ended(door.attempts, now.mono):
        return door, []
    door = replace(door, attempts=released(door.attempts))
    return door, [_alarm(door, now)]


def tried(judged: CodeJudged, now: Now) -> Send:
    """The fact that a one-time code was typed, whatever came of it."""
    fact = facts.CodeTried(
        id="",
        at=now.at,
        door=judged.door,
        side=judged.side,
        outcome=judged.outcome,
        counter=judged.counter,
    )
    return Send(fact)


def refuse_code(door: Door, judged: CodeJudged, now: Now) -> Reaction:
    """Say no by light and sound; a wrong code counts like a wrong PIN."""
    shut_out = judged.outcome is CodeOutcome.LOCKED_OUT
    door, shown = show(door, Pattern.LOCKED_OUT if shut_out else Pattern.DENIED, now)
    guessed = judged.outcome is CodeOutcome.WRONG
    door, alarmed = wrong(door, now) if guessed else (door, [])
    return door, [*shown, tried(judged, now), *alarmed]


def _alarm(door: Door, now: Now) -> Act:
    until = door.attempts.until
    lasts = (
        "" if until is None else f"too many wrong numbers; for {(until - now.mono) // 60_000} min"
    )
    alarmed = facts.DeviceAlarmed(
        id="", at=now.at, alarm=ALARM, active=until is not None, door=door.spec.id, detail=lasts
    )
    return Send(alarmed)
