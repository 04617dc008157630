"""Who is where, and the doors between: the truth that the hub has to guess."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kokubus.site import Door, Site
from kokubus.site.shapes import OUTSIDE

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Asks the device of a door; raises `ControlError`."""


class Village:
    """All sites' rooms and doors; safe to use from threads."""

    def __init__(self, sites: Iterable[Site], ask: Callable[[str, Mapping[str, Any]], Any]) -> None:
        self._ask = ask
        self._doors = {door.room: door for site in sites for door in site.doors}
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()

    def people(self, room: str) -> int:
        """How many are in a room now."""
        with self._lock:
            return self._inside[room]

    def way_to(self, room: str) -> list[Door]:
        """The doors from outside to a room, in order."""
        way: list[Door] = []
        while room != OUTSIDE:
            door = self._doors[room]
            way.insert(0, door)
            room = door.leads_from
        return way

    def enter(self, uid: str, room: str) -> bool:
        """Tap one's way to a room; whether every door opened. Who is stopped goes out again.

        Raises `ControlError` if a door's device cannot be asked.
        """
        for door in self.way_to(room):
            done = self._ask(door.id, {"do": "tap", "door": door.id, "uid": uid})
            if not done["opened"]:
                self.leave(door.leads_from)
                return False
            self._move(door.leads_from, door.room)
        return True

    def leave(self, room: str) -> None:
        """Go out by the handles of all doors on the way."""
        if room == OUTSIDE:
            return
        for door in reversed(self.way_to(room)):
            self._ask(door.id, {"do": "exit", "door": door.id})
            self._move(door.room, door.leads_from)

    def _move(self, source: str, target: str) -> None:
        with self._lock:
            self._inside[source] -= 1
            self._inside[target] += 1
