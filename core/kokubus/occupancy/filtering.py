"""One room's count as an exact discrete Bayes filter: predict to an instant, fold evidence.

Pure and recursive: everything a later step needs stands in the `Belief`. Instants are
milliseconds since 1970 UTC. Evidence must come in order of time; what comes late is for
the caller to replay from an older belief.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log
from typing import Any

import numpy as np

from kokubus.messages import Instant, Side
from kokubus.occupancy.belief import NO_WEIGHTS, SENSORS, Belief
from kokubus.occupancy.evidence import (
    ClosingReset,
    Co2,
    Evidence,
    HeadCount,
    Indirect,
    Passage,
    Pir,
    Sensor,
)
from kokubus.occupancy.kinetics import HOUR_MS, Steps, Vector, stationary
from kokubus.occupancy.model import RoomModel
from kokubus.occupancy.passages import FLOOR_MS, is_news, join
from kokubus.occupancy.sensing import (
    MISJUDGED,
    ambient,
    co2_weighed,
    indirect_likelihood,
    label_likelihood,
    levels,
    remembered,
    wants_co2,
    wants_indirect,
    wants_pir,
)

CLOSED_EMPTY = 0.98
FADING_H = 0.5
SURE = 1e-6
_PLACE = {sensor: place for place, sensor in enumerate(SENSORS)}


def initial(model: RoomModel, at: Instant) -> Belief:
    """What is believed of a room before its first evidence: the long run of its rates."""
    law = stationary(model.places + 1, *model.rates(open_=True))
    return Belief(at=at, posterior=tuple(law.tolist()))


def predict(model: RoomModel, belief: Belief, at: Instant, open_: bool) -> Belief:
    """The belief at ``at`` if nothing more was seen; the interval widens with the gap.

    ``open_`` holds for the whole gap: split it where opening hours begin or end
    (`kokubus.occupancy.hours`). Two steps give what one step gives. ValueError if ``at`` is
    before the belief, or if the belief is of a room with another capacity.
    """
    if at == belief.at:
        return belief
    p = _moved(model, belief, at, open_)
    fading = exp((belief.at - at) / HOUR_MS / FADING_H)
    return belief._replace(
        at=at,
        posterior=tuple(p.tolist()),
        floor_until=_floor_at(belief, at),
        weights=tuple([weight * fading for weight in belief.weights]),
    )


def wants(belief: Belief, evidence: Evidence) -> bool:
    """Whether `update` would make anything of it: cheap, to be asked before anything else.

    Not wanted are readings that come too soon after the last one counted, and impossible
    ones.
    """
    if isinstance(evidence, Pir):
        return wants_pir(belief, evidence)
    if isinstance(evidence, Co2):
        return wants_co2(belief, evidence)
    if isinstance(evidence, Indirect):
        return wants_indirect(belief, evidence)
    return True


def update(model: RoomModel, belief: Belief, evidence: Evidence, open_: bool) -> Belief:
    """The belief at ``evidence.at`` with the evidence folded in (see `predict`, `wants`)."""
    if not wants(belief, evidence):
        return predict(model, belief, evidence.at, open_)
    return absorbed(model, belief, evidence, open_)


def absorbed(model: RoomModel, belief: Belief, evidence: Evidence, open_: bool) -> Belief:
    """`update` for evidence that is known to be wanted."""
    p = _moved(model, belief, evidence.at, open_)
    return _FOLD[type(evidence)](model, belief, p, evidence)


def moves(
    model: RoomModel, belief: Belief, at: Instant, open_: bool
) -> Iterator[tuple[Steps, int]]:
    """(transitions, milliseconds) that lead from the belief to ``at``, in order."""
    since = belief.at
    if belief.floor_until is not None and belief.floor_until > since:
        since = min(at, belief.floor_until)
        yield model.ready.steps(open_, 1), since - belief.at
    yield model.ready.steps(open_, 0), at - since


def _moved(model: RoomModel, belief: Belief, at: Instant, open_: bool) -> Vector:
    if at < belief.at:
        raise ValueError(f"a belief of {belief.at} cannot be taken back to {at}: replay it")
    ready, p = model.ready, np.array(belief.posterior)
    if p.size != ready.size:
        raise ValueError(f"a belief of {p.size} counts is of another room model")
    if belief.floor_until is None:
        return ready.steps(open_, 0).advance(p, at - belief.at)
    for transitions, gap in moves(model, belief, at, open_):
        p = transitions.advance(p, gap)
    return p


def _passed(model: RoomModel, belief: Belief, before: Vector, passage: Passage) -> Belief:
    events, joined = join(belief.events, passage)
    news = is_news(joined, passage)
    p = before.copy()
    if news:
        p = model.ready.kernel(passage.sensor, passage.side).dot(before)
    if passage.badged_in:
        p[0] = 0.0
    unforeseen = news and passage.side is Side.OUT and before.item(0) > 0.5
    posterior, weights = _swayed(belief, passage.at, passage.sensor, before, p.tolist())
    return belief._replace(
        at=passage.at,
        posterior=posterior,
        weights=weights,
        floor_until=_floor(belief, passage, joined is None),
        events=events,
        drift=belief.drift + int(unforeseen),
    )


def _floor(belief: Belief, passage: Passage, new: bool) -> Instant | None:
    if passage.badged_in:
        return passage.at + FLOOR_MS
    if new and passage.side is not Side.IN:
        return None
    return _floor_at(belief, passage.at)


def _sensed_motion(model: RoomModel, belief: Belief, before: Vector, reading: Pir) -> Belief:
    at, p = reading.at, before * model.ready.pir[reading.fired]
    posterior, weights = _swayed(belief, at, Sensor.PIR, before, p.tolist())
    return Belief(
        at,
        posterior,
        _floor_at(belief, at),
        belief.ambient_ppm,
        belief.co2,
        (at, reading.fired),
        belief.events,
        belief.drift,
        weights,
        belief.indirect,
    )


def _sensed_breath(model: RoomModel, belief: Belief, before: Vector, reading: Co2) -> Belief:
    at, p = reading.at, co2_weighed(model, belief, reading, before.tolist())
    posterior, weights = _swayed(belief, at, Sensor.CO2, before, p)
    return Belief(
        at,
        posterior,
        _floor_at(belief, at),
        ambient(model, belief, reading, posterior[0]),
        remembered(model, belief, reading),
        belief.pir,
        belief.events,
        belief.drift,
        weights,
        belief.indirect,
    )


def _sensed_indirectly(
    model: RoomModel, belief: Belief, before: Vector, reading: Indirect
) -> Belief:
    p = before * indirect_likelihood(model, belief, reading)
    posterior, weights = _swayed(belief, reading.at, reading.sensor, before, p.tolist())
    return belief._replace(
        at=reading.at,
        posterior=posterior,
        weights=weights,
        floor_until=_floor_at(belief, reading.at),
        indirect=levels(model, belief, reading),
    )


def _counted(model: RoomModel, belief: Belief, before: Vector, label: HeadCount) -> Belief:
    """Who has looked is believed, even against everything that was believed before."""
    p = doubting(before) * label_likelihood(model, label)
    posterior, weights = _swayed(belief, label.at, Sensor.LABEL, before, p.tolist())
    return belief._replace(
        at=label.at,
        posterior=posterior,
        weights=weights,
        floor_until=_floor_at(belief, label.at) if label.people else None,
        drift=0,
    )


def doubting(p: Vector) -> Vector:
    """The counts if the belief may be all wrong: then each is as good as any. Its own adjoint."""
    return np.asarray((1.0 - MISJUDGED) * p + MISJUDGED * p.mean())


def _closed(_model: RoomModel, belief: Belief, before: Vector, reset: ClosingReset) -> Belief:
    p = before * (1.0 - CLOSED_EMPTY)
    p[0] += CLOSED_EMPTY
    return belief._replace(
        at=reset.at,
        posterior=tuple(p.tolist()),
        floor_until=None,
        events=(),
        drift=0,
        weights=NO_WEIGHTS,
    )


def _swayed(
    belief: Belief, at: Instant, sensor: Sensor, before: Vector, after: list[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(``after`` as a posterior, the weights with what moved it there put to the sensor)."""
    total = sum(after)
    posterior = tuple([value / total for value in after])
    fading = exp((belief.at - at) / HOUR_MS / FADING_H)
    weights = [weight * fading for weight in belief.weights]
    weights[_PLACE[sensor]] += log_odds(posterior[0]) - log_odds(before.item(0))
    return posterior, tuple(weights)


def _floor_at(belief: Belief, at: Instant) -> Instant | None:
    """Until when the room cannot be empty, if that is still ahead."""
    floor = belief.floor_until
    return None if floor is None or floor <= at else floor


_FOLD: dict[type[Evidence], Callable[[RoomModel, Belief, Vector, Any], Belief]] = {
    Pir: _sensed_motion,
    Co2: _sensed_breath,
    Passage: _passed,
    Indirect: _sensed_indirectly,
    HeadCount: _counted,
    ClosingReset: _closed,
}


def log_odds(empty: float) -> float:
    """ln of the odds that somebody is inside, kept within +-14."""
    if empty < SURE:
        empty = SURE
    elif empty > 1.0 - SURE:
        empty = 1.0 - SURE
    return log((1.0 - empty) / empty)
