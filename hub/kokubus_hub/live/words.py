"""Sentences for what happened: every reason code has one, in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kokubus.decision import Reason
from kokubus.messages import Instant
from kokubus_hub.doors.commands import OUTCOMES
from kokubus_hub.i18n import Words
from kokubus_hub.i18n import marked as _
from kokubus_hub.live.lines import Line

REASONS: dict[str, str] = {
    Reason.BOOKED: _("Let in: has a booking."),
    Reason.ENTITLED: _("Let in: has a standing right."),
    Reason.KEYHOLDER: _("Let in: holds a key to this place. Its use is noted."),
    Reason.FREE_PASSAGE: _("The door is open for everybody right now."),
    Reason.DOOR_UNKNOWN: _("Not let in: the hub does not know this door. Apply its site file."),
    Reason.LOCKDOWN: _("Not let in: the door is locked down."),
    Reason.BADGE_UNKNOWN: _("Not let in: nobody knows this badge. It has to be enrolled first."),
    Reason.BADGE_BLOCKED: _("Not let in: the badge is blocked or was reported lost."),
    Reason.BADGE_EXPIRED: _("Not let in: the badge is not valid now."),
    Reason.BADGE_TOO_WEAK: _("Not let in: this door wants a badge that cannot be copied."),
    Reason.MEMBER_SUSPENDED: _("Not let in: the membership is suspended."),
    Reason.POLICY_STALE: _("Not let in: the door has not heard from the hub for too long."),
    Reason.CLOSED: _("Not let in: closed until {until}."),
    Reason.ALREADY_INSIDE: _("Not let in: this badge is inside already."),
    Reason.ROOM_FULL: _("Not let in: the room is full."),
    Reason.CLOCK_UNTRUSTED: _("Not let in: after a power cut the door does not know the time."),
    Reason.TOO_EARLY: _("Not let in: too early, the booking opens the door from {from}."),
    Reason.TOO_LATE: _("Not let in: too late, the booking ended at {since}."),
    Reason.WRONG_PLACE: _("Not let in: the booking is for {where}."),
    Reason.NO_BOOKING: _("Not let in: there is no booking."),
    Reason.RULE_ERROR: _("Not let in: a rule could not be read. Tell whoever runs the hub."),
    Reason.HUB_UNREACHABLE: _("Not let in: no answer from the hub, and no rights at the door yet."),
    Reason.HUB_CANNOT_RECORD: _("Not let in: the hub cannot record anything. Is its disk full?"),
}
WITHOUT_DETAIL: dict[str, tuple[str, str]] = {
    Reason.CLOSED: ("until", _("Not let in: closed.")),
    Reason.TOO_EARLY: ("from", _("Not let in: too early for the booking.")),
    Reason.TOO_LATE: ("since", _("Not let in: too late, the booking has ended.")),
    Reason.WRONG_PLACE: ("where", _("Not let in: the booking is for another place.")),
}
"""What a door reports is the code alone: by the detail that may be missing."""
HAPPENINGS: dict[str, str] = {
    "undecided": _("The door has not said yet what it did."),
    "left": _("Opened the door from inside."),
    "passed": _("Went through."),
    "door_forced": _("The door was opened without a right. Somebody should look."),
    "door_held": _("The door has stood open too long. Somebody should close it."),
    "command": _("Opened from afar: {reason}"),
    "code_accepted": _("Let in: with a one-time code read out by phone."),
    "code_wrong": _("Not let in: the one-time code is wrong or used up."),
    "code_locked_out": _("Not let in: too many wrong numbers, the keypad takes none for now."),
    "code_lockdown": _("Not let in: the code was right, but the door is locked down."),
    "code_not_kept": _("Not let in: the door cannot note which codes are used up."),
}
NOTES: dict[str, str] = {
    "went_in": _("went in"),
    "went_out": _("went out"),
    "no_entry": _("nobody went in"),
    "by_edge": _("decided at the door, without the hub"),
    "already_inside": _("the badge was inside already"),
    "reported_later": _("reported later"),
    "revoked_meanwhile": _("the badge had been revoked in the meantime"),
} | {f"command_{outcome}": sentence for outcome, sentence in OUTCOMES.items()}
SOMEBODY = {
    "undecided": _("Somebody"),
    "left": _("Somebody"),
    "passed": _("Somebody"),
    "door_forced": _("Alarm"),
    "door_held": _("Alarm"),
    "command": _("Operator"),
    "code_accepted": _("Somebody"),
    "code_wrong": _("Somebody"),
    "code_locked_out": _("Somebody"),
    "code_lockdown": _("Somebody"),
    "code_not_kept": _("Somebody"),
}
UNKNOWN = _("Unknown badge")
UNFORESEEN = _("Not let in: {code}.")


@dataclass(frozen=True, slots=True)
class Said:
    """A line in words."""

    who: str
    sentence: str
    notes: tuple[str, ...]


def tell(line: Line, words: Words, zone: str, now: Instant, rooms: Mapping[str, str]) -> Said:
    """The line in somebody's language; ``rooms`` are names by room id, for ``where``."""
    who = line.who or words.say(SOMEBODY.get(line.code, UNKNOWN))
    notes = tuple(words.say(NOTES.get(note, note)) for note in line.notes)
    return Said(who, sentence(line, words, zone, now, rooms), notes)


def sentence(line: Line, words: Words, zone: str, now: Instant, rooms: Mapping[str, str]) -> str:
    """Why, in one sentence."""
    values = _values(line.values, words, zone, now, rooms)
    known = REASONS.get(line.code) or HAPPENINGS.get(line.code)
    if known is None:
        return words.say(UNFORESEEN, code=line.code)
    missing, shorter = WITHOUT_DETAIL.get(line.code, ("", ""))
    if missing and missing not in values:
        return words.say(shorter)
    return words.say(known, **values)


def _values(
    given: Mapping[str, Any], words: Words, zone: str, now: Instant, rooms: Mapping[str, str]
) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in given.items():
        if name in {"from", "since", "until"} and isinstance(value, int):
            values[name] = words.when(value, zone, now)
        else:
            values[name] = rooms.get(str(value), str(value)) if name == "where" else str(value)
    return values
