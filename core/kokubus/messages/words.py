"""The words that messages are made of.

Bounds stand as `annotated_types` metadata, so that `kokubus.wire` can enforce them and these
modules stay free of any library's types.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeAlias

from annotated_types import Ge, Le, Len, Predicate


def _forward(pair: tuple[int, int]) -> bool:
    return pair[0] <= pair[1]


Instant: TypeAlias = int
Name = Annotated[str, Len(1, 64)]
Text = Annotated[str, Len(0, 300)]
At = Annotated[int, Ge(0), Le(2**52)]
Count = Annotated[int, Ge(0), Le(2**52)]
Range = Annotated[tuple[Count, Count], Predicate(_forward)]


class Clock(StrEnum):
    """How far a device trusts its own wall clock."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNTRUSTED = "untrusted"


class Side(StrEnum):
    """Which way a reader, a beam or a passage points, seen from the room."""

    IN = "in"
    OUT = "out"


class By(StrEnum):
    """Who decided what the door did."""

    HUB = "hub"
    EDGE = "edge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a fact stands in its device's record: exactly once is judged by (epoch, seq)."""

    epoch: Name
    seq: Annotated[int, Ge(1), Le(2**52)]
    boot: Name
    uptime_ms: Count
    clock: Clock


@dataclass(frozen=True, slots=True, order=True)
class PolicyNumber:
    """(epoch, n): the epoch is raised when a hub is restored from a backup."""

    epoch: Count
    n: Count
