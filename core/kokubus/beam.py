"""A pair of light beams across a door: who breaks them in which order went which way.

Somebody who goes in breaks the outer beam first and leaves the inner one last. So only the
first and the last beam of a crossing count: whoever turns back leaves the one they came by.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from kokubus.messages import Side

BLOCKED_MS = 60_000
"""Nobody stands in a door for longer: something does."""


class Beam(StrEnum):
    """One of the two, seen from outside."""

    OUTER = "outer"
    INNER = "inner"


@dataclass(frozen=True, slots=True)
class Crossing:
    """Which beams are broken now, and what is known of who breaks them.

    ``first`` is the beam that was broken alone at the beginning, ``last`` the one that is or
    was broken alone; ``since`` (monotonic ms) any is broken.
    """

    broken: frozenset[Beam] = frozenset()
    first: Beam | None = None
    last: Beam | None = None
    since: int = 0


def beam_changed(
    crossing: Crossing, beam: Beam, now: int, *, broken: bool
) -> tuple[Crossing, Side | None]:
    """After one beam broke or is whole again; the way somebody went, once they are through."""
    after = crossing.broken | {beam} if broken else crossing.broken - {beam}
    if not after:
        return Crossing(), _way(crossing, now)
    since = crossing.since if crossing.broken else now
    alone = next(iter(after)) if len(after) == 1 else None
    first = crossing.first if crossing.broken else alone
    crossing = replace(crossing, broken=after, first=first, since=since)
    return (crossing if alone is None else replace(crossing, last=alone)), None


def is_blocked(crossing: Crossing, now: int) -> bool:
    """Whether something stands in the beams."""
    return bool(crossing.broken) and now - crossing.since >= BLOCKED_MS


def _way(crossing: Crossing, now: int) -> Side | None:
    if is_blocked(crossing, now) or crossing.first is crossing.last:
        return None
    return (
        {Beam.OUTER: Side.IN, Beam.INNER: Side.OUT}.get(crossing.first) if crossing.first else None
    )
