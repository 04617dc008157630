"""One room's count as an exact discrete Bayes filter: predict to an instant, fold evidence.

Pure and recursive: everything a later step needs stands in the `Belief`. Instants are
milliseconds since 1970 UTC. Evidence must come in order of time; what comes late is for
the caller to replay from an older belief.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import Any

import numpy as np

from kokubus.messages import Instant, Side
from kokubus.occupancy.belief import NO_WEIGHTS, SENSORS, Belief
from kokubus.occupancy.evidence import ClosingReset, Co2, Evidence, Passage, Pir, Sensor
from kokubus.occupancy.kinetics import HOUR_MS, Vector, advance, stationary, steps
from kokubus.occupancy.model import RoomModel
from kokubus.occupancy.passages import FLOOR_MS, is_news, join, kernel
from kokubus.occupancy.sensing import (
    ambient,
    co2_likelihood,
    pir_likelihood,
    remembered,
    wants_co2,
    wants_pir,
)

CLOSED_EMPTY = 0.98
FADING_H = 0.5
SURE = 1e-6


def initial(model: RoomModel, at: Instant) -> Belief:
    """What is believed of a room before its first evidence: the long run of its rates."""
    law = stationary(model.places + 1, *model.rates(open_=True))
    return Belief(at=at, posterior=tuple(law.tolist()))


def predict(model: RoomModel, belief: Belief, at: Instant, open_: bool) -> Belief:
    """The belief at ``at`` if nothing more was seen; the interval widens with the gap.

    ``open_`` holds for the whole gap: split it where opening hours begin or end. Two steps
    give what one step gives. ValueError if ``at`` is before the belief, or if the belief is
    of a room with another capacity.
    """
    if at == belief.at:
        return belief
    p = _moved(model, belief, at, open_)
    return _believed(belief, at, p, weights=_faded(belief, at))


def wants(belief: Belief, evidence: Evidence) -> bool:
    """Whether `update` would make anything of it: cheap, to be asked before anything else.

    Not wanted are readings that come too soon after the last one counted, and impossible
    ones.
    """
    if isinstance(evidence, Pir):
        return wants_pir(belief, evidence)
    if isinstance(evidence, Co2):
        return wants_co2(belief, evidence)
    return True


def update(model: RoomModel, belief: Belief, evidence: Evidence, open_: bool) -> Belief:
    """The belief at ``evidence.at`` with the evidence folded in (see `predict`, `wants`)."""
    if not wants(belief, evidence):
        return predict(model, belief, evidence.at, open_)
    p = _moved(model, belief, evidence.at, open_)
    match evidence:
        case Passage():
            return _passed(belief, p, evidence)
        case Pir():
            return _sensed_motion(model, belief, p, evidence)
        case Co2():
            return _sensed_breath(model, belief, p, evidence)
        case ClosingReset():
            return _closed(belief, p, evidence)


def _moved(model: RoomModel, belief: Belief, at: Instant, open_: bool) -> Vector:
    if at < belief.at:
        raise ValueError(f"a belief of {belief.at} cannot be taken back to {at}: replay it")
    size = model.places + 1
    if len(belief.posterior) != size:
        raise ValueError(f"a belief of {len(belief.posterior)} counts is of another room model")
    p = np.array(belief.posterior)
    since = belief.at
    if belief.floor_until is not None and belief.floor_until > since:
        since = min(at, belief.floor_until)
        p = advance(p, steps(size, *model.rates(open_), 1), since - belief.at)
    return advance(p, steps(size, *model.rates(open_), 0), at - since)


def _passed(belief: Belief, before: Vector, passage: Passage) -> Belief:
    events, joined = join(belief.events, passage)
    news = is_news(joined, passage)
    p = kernel(before.size, passage.sensor, passage.side) @ before if news else before.copy()
    if passage.badged_in:
        p[0] = 0.0
    unforeseen = news and passage.side is Side.OUT and before[0] > 0.5
    return _believed(
        belief,
        passage.at,
        p,
        floor_until=_floor(belief, passage, joined is None),
        events=events,
        drift=belief.drift + int(unforeseen),
        weights=_weighed(belief, passage, passage.sensor, before, p),
    )


def _floor(belief: Belief, passage: Passage, new: bool) -> Instant | None:
    if passage.badged_in:
        return passage.at + FLOOR_MS
    return None if new and passage.side is not Side.IN else belief.floor_until


def _sensed_motion(model: RoomModel, belief: Belief, before: Vector, reading: Pir) -> Belief:
    p = before * pir_likelihood(model, reading.fired)
    return _believed(
        belief,
        reading.at,
        p,
        pir=(reading.at, reading.fired),
        weights=_weighed(belief, reading, Sensor.PIR, before, p),
    )


def _sensed_breath(model: RoomModel, belief: Belief, before: Vector, reading: Co2) -> Belief:
    p = before * co2_likelihood(model, belief, reading)
    return _believed(
        belief,
        reading.at,
        p,
        co2=remembered(model, belief, reading),
        ambient_ppm=ambient(belief, reading, _empty(p)),
        weights=_weighed(belief, reading, Sensor.CO2, before, p),
    )


def _closed(belief: Belief, before: Vector, reset: ClosingReset) -> Belief:
    p = before * (1.0 - CLOSED_EMPTY)
    p[0] += CLOSED_EMPTY
    return _believed(belief, reset.at, p, floor_until=None, events=(), drift=0, weights=NO_WEIGHTS)


def _believed(belief: Belief, at: Instant, p: Vector, **changes: Any) -> Belief:
    floor = changes.pop("floor_until", belief.floor_until)
    return replace(
        belief,
        at=at,
        posterior=tuple((p / np.add.reduce(p)).tolist()),
        floor_until=floor if floor is not None and floor > at else None,
        **changes,
    )


def _faded(belief: Belief, at: Instant) -> tuple[float, ...]:
    fading = exp((belief.at - at) / HOUR_MS / FADING_H)
    return tuple([w * fading for w in belief.weights])


def _weighed(
    belief: Belief, evidence: Evidence, sensor: Sensor, before: Vector, after: Vector
) -> tuple[float, ...]:
    weights = list(_faded(belief, evidence.at))
    weights[SENSORS.index(sensor)] += log_odds(_empty(after)) - log_odds(_empty(before))
    return tuple(weights)


def _empty(p: Vector) -> float:
    return float(p[0] / np.add.reduce(p))


def log_odds(empty: float) -> float:
    """ln of the odds that somebody is inside, kept within +-14."""
    empty = min(max(empty, SURE), 1.0 - SURE)
    return log((1.0 - empty) / empty)
