"""Which rooms a door leads to: doors are edges, from a room or from outside into a room.

A door is on the way to a room if somebody may go through it on a way from outside that visits
no room twice; there may be several ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

R = TypeVar("R", int, str)
Edge = tuple[R | None, R]
"""(from, into); None is outside."""


def rooms_behind(door: Edge[R], doors: Sequence[Edge[R]]) -> tuple[R, ...]:
    """The rooms the door is on the way to, nearest first; the one it leads into always is.

    >>> rooms_behind((None, "hall"), [(None, "hall"), ("hall", "office"), ("office", "hall")])
    ('hall', 'office')
    >>> rooms_behind(("hall", "office"), [(None, "hall"), ("hall", "office"), ("office", "hall")])
    ('office',)
    """
    found = [door[1]]
    for visited in _ways_to(door[0], doors):
        found += [room for room in _beyond(door[1], visited, doors) if room not in found]
    return tuple(found)


def _ways_to(room: R | None, doors: Sequence[Edge[R]]) -> set[frozenset[R]]:
    """The rooms visited on each way from outside to ``room``, which is one of them."""
    if room is None:
        return {frozenset()}
    ways = set(_walk(room, frozenset(), None, doors))
    shorter = {way for way in ways if not any(other < way for other in ways)}
    return shorter or {frozenset([room])}  # no way in is known: whoever is there came somehow


def _walk(
    goal: R, visited: frozenset[R], here: R | None, doors: Sequence[Edge[R]]
) -> Iterator[frozenset[R]]:
    for into in _next(here, doors):
        if into == goal:
            yield visited | {goal}
        elif into not in visited:
            yield from _walk(goal, visited | {into}, into, doors)


def _beyond(room: R, visited: frozenset[R], doors: Sequence[Edge[R]]) -> list[R]:
    found = [room]
    for here in found:  # grows while it is read: breadth first
        found += [into for into in _next(here, doors) if into not in visited and into not in found]
    return found


def _next(here: R | None, doors: Sequence[Edge[R]]) -> list[R]:
    return sorted({into for origin, into in doors if origin == here})
