"""``kokubus edge tap DOOR BADGE``: hold a badge to a simulated door, and say what it did."""

from __future__ import annotations

import os
from typing import Any

from kokubus.decision import Reason
from kokubus_edge.simulate.asking import ask
from kokubus_edge.simulate.register import read_register, run_dir

GRANTED, DENIED = 0, 1
SENTENCES = {
    Reason.FREE_PASSAGE: "the door is open to everybody for now",
    Reason.BOOKED: "there is a booking",
    Reason.ENTITLED: "there is a standing right",
    Reason.KEYHOLDER: "this badge is one of the site's keys",
    Reason.DOOR_UNKNOWN: "nobody has said what holds at this door",
    Reason.LOCKDOWN: "the door is locked down",
    Reason.BADGE_UNKNOWN: "this badge is not known here",
    Reason.BADGE_BLOCKED: "this badge is blocked",
    Reason.BADGE_EXPIRED: "this badge is not valid today",
    Reason.BADGE_TOO_WEAK: "this door asks for a badge that cannot be copied",
    Reason.MEMBER_SUSPENDED: "the membership is suspended",
    Reason.POLICY_STALE: "the door has not heard from the hub for too long",
    Reason.CLOSED: "the site is closed",
    Reason.ALREADY_INSIDE: "this badge is inside already",
    Reason.ROOM_FULL: "the room is full",
    Reason.CLOCK_UNTRUSTED: "the door does not know what time it is",
    Reason.TOO_EARLY: "the booking begins later",
    Reason.TOO_LATE: "the booking is over",
    Reason.WRONG_PLACE: "the booking is for another place",
    Reason.NO_BOOKING: "there is no booking for this place",
    Reason.RULE_ERROR: "its rules cannot be judged",
    Reason.HUB_UNREACHABLE: "the hub does not answer, and the door has no rights stored",
    Reason.HUB_CANNOT_RECORD: "the hub cannot record it",
}


def tap(door: str, badge: str) -> int:
    """Print what the door did; 0 if it opened, 1 if not. ControlError if nobody could tap."""
    register = read_register(run_dir(os.environ))
    known = register.badge(badge)
    done = ask(register.socket_of(door), {"do": "tap", "door": door, "uid": known.uid})
    print(told(done, known.holder))  # noqa: T201 - a command line prints
    return GRANTED if done["granted"] else DENIED


def told(done: dict[str, Any], holder: str) -> str:
    """What a door did about a tap, in two sentences and with the help number beside a denial."""
    where = f"{done['site']}, {done['name']}"
    why = SENTENCES.get(done["reason"], "it says so")
    if done["by"] == "hub":
        who = f"The hub decided: {why} ({done['reason']})."
    else:
        who = f"The door decided by itself, by the rights stored in it: {why} ({done['reason']})."
    if done["granted"]:
        return f"{where}: opened for {holder} after {done['ms']} ms. {who}"
    help_line = f" Help: {done['help']}"
    return f"{where}: stays locked for {holder}, after {done['ms']} ms. {who}{help_line}"
