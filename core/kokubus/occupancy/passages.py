"""Passages as kernels on the count, and the joining of what several sensors saw of one."""

from __future__ import annotations

import numpy as np

from kokubus.messages import Side
from kokubus.occupancy.belief import Event
from kokubus.occupancy.evidence import Passage, Sensor
from kokubus.occupancy.kinetics import Matrix

SAME_EVENT_MS = 10_000
FLOOR_MS = 600_000

# Chances of a change of the count: the second person through is the tailgater, no change is
# the false report. A contact alone says little: mostly somebody leaves by the handle.
MOVES: dict[tuple[Sensor, Side | None], dict[int, float]] = {
    (Sensor.BADGE, Side.IN): {1: 0.82, 2: 0.15, 0: 0.03},
    (Sensor.BADGE, Side.OUT): {-1: 0.90, -2: 0.05, 0: 0.05},
    (Sensor.BEAM, Side.IN): {1: 0.90, 2: 0.05, 0: 0.05},
    (Sensor.BEAM, Side.OUT): {-1: 0.90, -2: 0.05, 0: 0.05},
    (Sensor.CONTACT, Side.IN): {1: 0.75, 2: 0.10, 0: 0.15},
    (Sensor.CONTACT, Side.OUT): {-1: 0.75, -2: 0.10, 0: 0.15},
}
UNDIRECTED = {-1: 0.40, 1: 0.15, 0: 0.45}


def kernel(size: int, sensor: Sensor, side: Side | None) -> Matrix:
    """Column n holds the weights of n' after this passage, (size, size).

    Nobody leaves an empty room: such moves have weight 0, so that an exit is also evidence
    that somebody was inside. Above N the count stays at N.
    """
    weights = np.zeros((size, size))
    for move, chance in MOVES.get((sensor, side), UNDIRECTED).items():
        for n in range(max(0, -move), size):
            weights[min(n + move, size - 1), n] += chance
    return weights


def join(events: tuple[Event, ...], passage: Passage) -> tuple[tuple[Event, ...], Event | None]:
    """(events of the last ten seconds with this passage among them, the one it joined).

    A sensor sees one event once: a beam broken twice behind one badge is two people.
    """
    recent = [e for e in events if passage.at - e.at <= SAME_EVENT_MS]
    for place, event in enumerate(recent):
        if _same(event, passage):
            seen_by = (*event.seen_by, passage.sensor)
            recent[place] = Event(event.at, event.side or passage.side, seen_by)
            return tuple(recent), event
    return (*recent, Event(passage.at, passage.side, (passage.sensor,))), None


def is_news(joined: Event | None, passage: Passage) -> bool:
    """Whether a passage moves the count: it is a new event, or the first to know its side."""
    return joined is None or (joined.side is None and passage.side is not None)


def _same(event: Event, passage: Passage) -> bool:
    if passage.sensor in event.seen_by:
        return False
    return None in (event.side, passage.side) or event.side == passage.side
