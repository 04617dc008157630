"""From one instant to another through opening hours, nights and closing resets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

from kokubus.messages import Instant
from kokubus.occupancy.belief import Belief
from kokubus.occupancy.evidence import ClosingReset, Evidence
from kokubus.occupancy.filtering import absorbed, predict, update, wants
from kokubus.occupancy.model import RoomModel

RESET_MS = 3_600_000
"""How long after closing whoever was not seen to leave is taken to have left."""
NEVER: Instant = 2**63 - 1
ANCHORED_MS = 45 * 60_000
"""A PIR or CO2 sensor heard of this recently knows better than the clock who is still there."""


class Turn(NamedTuple):
    """From ``at`` the site is open or not; with ``reset`` the room is taken to be empty then."""

    at: Instant
    open: bool
    reset: bool


class Timetable:
    """Opening hours as the filter needs them; closed outside the windows it was given."""

    __slots__ = ("_ats", "_turns")

    def __init__(self, windows: Iterable[tuple[Instant, Instant]]) -> None:
        """``windows`` are open spans in order, apart from each other (start, end)."""
        self._turns = _turns(list(windows))
        self._ats = [turn.at for turn in self._turns]

    def open_at(self, at: Instant) -> bool:
        """Whether the site is open at this instant."""
        place = bisect_right(self._ats, at)
        return place > 0 and self._turns[place - 1].open

    def regime(self, at: Instant) -> tuple[bool, Instant]:
        """(whether the site is open at this instant, the next turn after it)."""
        place = bisect_right(self._ats, at)
        following = self._ats[place] if place < len(self._ats) else NEVER
        return place > 0 and self._turns[place - 1].open, following

    def between(self, start: Instant, end: Instant) -> list[Turn]:
        """The turns with ``start < at <= end``."""
        first = bisect_right(self._ats, start)
        if first == len(self._ats) or self._ats[first] > end:
            return []
        return self._turns[first : bisect_right(self._ats, end)]


def _turns(windows: list[tuple[Instant, Instant]]) -> list[Turn]:
    turns = []
    begins = [start for start, _ in windows[1:]]
    for (start, end), following in zip_longest(windows, begins):
        turns += [Turn(start, open=True, reset=False), Turn(end, open=False, reset=False)]
        if following is None or following > end + RESET_MS:
            turns.append(Turn(end + RESET_MS, open=False, reset=True))
    return turns


def through(model: RoomModel, belief: Belief, hours: Timetable, at: Instant) -> Belief:
    """The belief at ``at`` if nothing more was seen, opening hours by opening hours.

    An hour after closing the room counts as empty, unless a PIR or CO2 sensor was heard of
    lately: these say themselves whether somebody stayed, and the clock must not shout them
    down. Counts of events alone drift without that (docs/occupancy.md).
    """
    for turn in hours.between(belief.at, at):
        belief = predict(model, belief, turn.at, hours.open_at(belief.at))
        if turn.reset and resets(belief):
            belief = update(model, belief, ClosingReset(belief.at), open_=False)
        elif turn.reset:
            belief = belief._replace(drift=0)
    return predict(model, belief, at, hours.open_at(belief.at))


def fold(model: RoomModel, belief: Belief, hours: Timetable, evidence: Evidence) -> Belief:
    """`update` through opening hours; what is not wanted leaves the belief where it stands."""
    if not wants(belief, evidence):
        return belief
    if hours.between(belief.at, evidence.at):
        belief = through(model, belief, hours, evidence.at)
    return absorbed(model, belief, evidence, hours.open_at(belief.at))


def fold_all(
    model: RoomModel, belief: Belief, hours: Timetable, evidence: Iterable[Evidence]
) -> Belief:
    """`fold` of each in its order; opening hours are looked up only where they turn."""
    open_, turn_at = hours.regime(belief.at)
    for one in evidence:
        if wants(belief, one):
            if one.at >= turn_at:
                belief = through(model, belief, hours, one.at)
                open_, turn_at = hours.regime(belief.at)
            belief = absorbed(model, belief, one, open_)
    return belief


def resets(belief: Belief) -> bool:
    """Whether the clock alone may empty a room: no sensor in it was heard of lately."""
    heard = [belief.pir[0]] if belief.pir else []
    heard += [belief.co2[-1][0]] if belief.co2 else []
    return not any(belief.at - at <= ANCHORED_MS for at in heard)
