"""What the agent's inbox takes besides the happenings at doors."""

from __future__ import annotations

from dataclasses import dataclass

from kokubus.messages import Reading
from kokubus_edge.health import Health


@dataclass(frozen=True, slots=True)
class ReaderTrouble:
    """One of a door's readers began or ended to work."""

    door: str
    reader: str
    health: Health


@dataclass(frozen=True, slots=True)
class Readings:
    """What sensors measured since the last time."""

    values: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Let the loop return."""
