"""What the agent's inbox takes besides the happenings at doors."""

from __future__ import annotations

from dataclasses import dataclass

from kokubus.messages import Reading


@dataclass(frozen=True, slots=True)
class ReaderTrouble:
    """A door's reader began (``dead``) or ended to be no reader."""

    door: str
    dead: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readings:
    """What sensors measured since the last time."""

    values: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Let the loop return."""
