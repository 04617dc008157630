"""Going out: a request is a moment for a button, and lasts as long as somebody moves for a PIR."""

from __future__ import annotations

from dataclasses import replace

from kokubus.door_state import EXIT_WINDOW_MS, Door, Opening, Reaction
from kokubus.door_steps import unlock
from kokubus.happenings import Now
from kokubus.messages import Side


def may_leave(door: Door, now: Now) -> Door:
    """From now on, for a while, somebody may open the door from inside."""
    opening = Opening(now.mono + EXIT_WINDOW_MS, Side.OUT, exit_requested=True)
    others = tuple(o for o in door.openings if not o.exit_requested)
    return replace(door, openings=(*others, opening))


def still_leaving(door: Door, now: Now) -> Reaction:
    """Whoever lingers before the door keeps the right to leave, and a lock that needs drawing."""
    if not door.leaving:
        return door, []
    if any(o.exit_requested and o.until <= now.mono for o in door.openings):
        door = may_leave(door, now)
    drawn = door.drawn_until is not None and now.mono < door.drawn_until
    return unlock(door, now) if door.spec.exit_unlocks and not drawn else (door, [])
