"""What the agent's inbox takes besides the happenings at doors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kokubus.ids import uuid7
from kokubus.messages import Fact, Reading
from kokubus_edge.clock import Timepiece
from kokubus_edge.health import Health


@dataclass(frozen=True, slots=True)
class ReaderTrouble:
    """One of a door's readers began or ended to work."""

    door: str
    reader: str
    health: Health


@dataclass(frozen=True, slots=True)
class SensorTrouble:
    """One of the device's sensors has stopped to say anything, or speaks again."""

    sensor: str
    health: Health


@dataclass(frozen=True, slots=True)
class Readings:
    """What sensors measured since the last time."""

    values: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Let the loop return."""


@dataclass(frozen=True, slots=True)
class Say:
    """A fact to record that another thread learned; its id and instant are the loop's."""

    fact: type[Fact]
    fields: Mapping[str, Any]


def new_tap_id(clock: Timepiece) -> str:
    """The id of a tap, made where it is seen."""
    return uuid7(clock.now(), os.urandom(10))
