"""What a day's evidence says of each of its instants, once the whole day is known.

Forward as the filter goes, then backward (Rauch, Tung and Striebel's recursion for a discrete
state): the smoothed P(n) at an instant given all that came before and after. Calibration learns
from these: the filter itself must not look ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from kokubus.messages import Instant
from kokubus.occupancy.belief import Belief
from kokubus.occupancy.evidence import ClosingReset, Evidence, HeadCount, Passage
from kokubus.occupancy.filtering import CLOSED_EMPTY, doubting, moves, predict, update, wants
from kokubus.occupancy.hours import Timetable, resets
from kokubus.occupancy.kinetics import Steps, Vector
from kokubus.occupancy.model import RoomModel
from kokubus.occupancy.passages import is_news, join

Back = Callable[[Vector], Vector]
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of evidence: the beliefs before and after it, and the smoothed counts.

    ``before`` is predicted to the evidence's instant, ``gap_ms`` after the last step; ``people``
    is the smoothed P(n) after the evidence and ``likelier`` by how much what follows makes
    each count likelier than ``before`` had it, both of shape (N+1,).
    """

    evidence: Evidence
    before: Belief
    gap_ms: int
    open: bool
    people: Vector
    likelier: Vector


@dataclass(slots=True)
class _Pass:
    """A step as the forward pass leaves it."""

    evidence: Evidence
    before: Belief
    after: Belief
    path: list[tuple[Steps, int]]
    open: bool
    back: Back | None


def smoothed(
    model: RoomModel, belief: Belief, hours: Timetable, evidence: Iterable[Evidence]
) -> tuple[list[Step], Belief]:
    """(steps in order, the belief at the end) for evidence in order after ``belief``."""
    passes: list[_Pass] = []
    for one in evidence:
        for turn in hours.between(belief.at, one.at):
            belief = _step(model, belief, hours, turn.at, passes, None)
            if turn.reset and resets(belief):
                belief = _step(model, belief, hours, turn.at, passes, ClosingReset(turn.at))
        if wants(belief, one):
            belief = _step(model, belief, hours, one.at, passes, one)
    return _backward(passes), belief


def _step(
    model: RoomModel,
    belief: Belief,
    hours: Timetable,
    at: Instant,
    passes: list[_Pass],
    evidence: Evidence | None,
) -> Belief:
    open_ = hours.open_at(belief.at)
    path = list(moves(model, belief, at, open_))
    before = predict(model, belief, at, open_)
    after = update(model, before, evidence, open_) if evidence else before
    back = _back(model, before, after, evidence) if evidence else None
    passes.append(_Pass(evidence or ClosingReset(at), before, after, path, open_, back))
    return after


def _back(model: RoomModel, before: Belief, after: Belief, evidence: Evidence) -> Back | None:
    """The adjoint of what the evidence did to the count; None if it only weighed counts."""
    if isinstance(evidence, ClosingReset):
        return lambda r: (1 - CLOSED_EMPTY) * r + CLOSED_EMPTY * r[0]
    if isinstance(evidence, HeadCount):
        doubted = doubting(np.array(before.posterior))
        weighed = np.array(after.posterior) / doubted
        return lambda r: doubting(r * weighed)
    if not isinstance(evidence, Passage):
        return None
    _, joined = join(before.events, evidence)
    if not is_news(joined, evidence):
        return None
    matrix = model.ready.kernel(evidence.sensor, evidence.side)
    return lambda r: r.dot(matrix)


def _backward(passes: list[_Pass]) -> list[Step]:
    steps: list[Step] = []
    likelier: Vector | None = None
    people: Vector = np.array(passes[-1].after.posterior) if passes else np.zeros(0)
    for one in reversed(passes):
        before, after = np.array(one.before.posterior), np.array(one.after.posterior)
        if likelier is not None:
            people = _normal(after * likelier)
        earlier = people
        if one.back is not None:
            earlier = _normal(before * one.back(people / np.maximum(after, TINY)))
        ratio = earlier / np.maximum(before, TINY)
        gap = sum(ms for _, ms in one.path)
        steps.append(Step(one.evidence, one.before, gap, one.open, people, ratio))
        likelier = ratio
        for transitions, ms in reversed(one.path):
            likelier = transitions.recall(likelier, ms)
    return steps[::-1]


def _normal(p: Vector) -> Vector:
    total = p.sum()
    return p / total if total > 0 else np.full(p.size, 1 / p.size)
