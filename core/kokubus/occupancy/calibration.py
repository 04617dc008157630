"""What a room teaches the filter by itself, without anybody counting.

Expectation-maximisation, a day at a time: the day is smoothed with what is known so far
(`smoothing`), the counts it expects become sufficient statistics (`learning`), and the
parameters are their posterior means under physical priors. A parameter nobody can see (what
people breathe out, in a room with CO2 alone) stays at its prior. Old days fade with a half-life
of four weeks, so that a room that changed is learned anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, log, sqrt
from typing import Any

import numpy as np

from kokubus.occupancy.evidence import Sensor
from kokubus.occupancy.model import Learned, RoomModel

IN_FORCE = frozenset({"pir_false", "arrivals_per_place", "departures"})
"""The parameters that move the count; air changes and breath are learned for people to look at.

Both are found well and made worse counts in most rooms they were tried in, and neither the air
nor the other sensors foretold which rooms those would be (docs/occupancy.md).
"""
HALF_LIFE_DAYS = 28.0
INFERRED = 0.05
"""People who came unseen are inferred by these very rates: each weighs a twentieth of a fact."""
CHANGES_SD, CHANGES_DAY_SD = 0.5, 0.4
"""Spread of ln(air changes) between rooms, and from day to day in one: wind, doors, weather."""
BREATH_SD, BREATH_DAY_SD = 0.25, 0.35
"""Spread of breathing between groups of people, and of what one day shows of it.

People nobody saw come falsify every day alike, so all days together weigh at most what physics
does: a room is never talked out of half of what its volume says.
"""
RATE_SHAPE = 4.0
"""Prior of rates: a gamma law of this shape, that is, known to half their value."""
FALSE_SAMPLES = 200.0
"""Prior of false alarms: as if so many quiet samples had been looked at."""
SETTLED_DAYS, SETTLED_CHANGE = 7, 0.15
LEVEL_PRIOR, LEVEL_HOURS, LEVEL_GAIN, LEVEL_MOST = 8.0, 12.0, 2.0, 2.5
EDGES = {
    Sensor.LIGHT: tuple(0.75 * k for k in range(1, 15)),
    Sensor.SOUND: tuple(0.35 * k for k in range(1, 15)),
}
"""Levels of ln(1 + value): a factor of two in light, of 1.4 in sound."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Observations of each level while nobody and while somebody was there; what they gained.

    ``gain`` is by how many nats the levels were foretold better than by their frequency
    alone, each day by what the days before it had taught.
    """

    empty: tuple[float, ...]
    taken: tuple[float, ...]
    gain: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Sufficient statistics of the days a room has been watched, faded, and their number.

    ``air`` are the sum of ln(air changes) over the days that showed some, their number, and
    the same of breath; ``quiet`` and ``false`` the PIR samples and alarms of the empty room;
    ``arrived`` over ``offered_h`` and ``left`` over ``stayed_h`` the unseen comings and goings
    and the hours that offered them. ``moved`` is by how many prior standard deviations the
    last day moved what was known, at most.
    """

    days: int = 0
    air: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    quiet: float = 0.0
    false: float = 0.0
    arrived: float = 0.0
    offered_h: float = 0.0
    left: float = 0.0
    stayed_h: float = 0.0
    light: Levels | None = None
    sound: Levels | None = None
    moved: float = 0.0

    @property
    def converged(self) -> bool:
        """A week was watched, and the last day taught nothing new."""
        return self.days >= SETTLED_DAYS and self.moved <= SETTLED_CHANGE

    def to_json(self) -> str:
        """Compact JSON that `from_json` reads."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What `to_json` wrote; ValueError if it is anything else."""
        try:
            row = json.loads(text)
            row["air"] = tuple(row["air"])
            for name in ("light", "sound"):
                if (held := row[name]) is not None:
                    row[name] = Levels(tuple(held["empty"]), tuple(held["taken"]), held["gain"])
            return cls(**row)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no calibration: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter as it is known: its value, standard deviation, and that of the prior."""

    value: float
    sd: float
    prior: float
    prior_sd: float


def known(model: RoomModel, learned: Calibration) -> dict[str, Known]:
    """Each calibrated parameter of ``model`` (which holds the priors), by its field's name."""
    return {
        **_air(model, learned),
        "pir_false": _beta(model.pir_false, learned.false, learned.quiet),
        "arrivals_per_place": _gamma(model.arrivals_per_place, learned.arrived, learned.offered_h),
        "departures": _gamma(model.departures, learned.left, learned.stayed_h),
    }


def calibrated(model: RoomModel, learned: Calibration) -> RoomModel:
    """The model with what the room has taught, as far as that is `IN_FORCE`, for its priors."""
    taught = known(model, learned)
    values: dict[str, Any] = {name: taught[name].value for name in IN_FORCE}
    levels = ((Sensor.LIGHT, learned.light), (Sensor.SOUND, learned.sound))
    found = [_levels(sensor, of) for sensor, of in levels if of is not None and _speaks(of)]
    return replace(model, **values, learned=tuple(found))


def with_day(model: RoomModel, before: Calibration, day: Calibration) -> Calibration:
    """What is known after another day: old days fade, and how far this one moved it."""
    fade = 0.5 ** (1 / HALF_LIFE_DAYS)
    after = Calibration(
        days=before.days + 1,
        air=_faded(before.air, day.air, fade),
        quiet=fade * before.quiet + day.quiet,
        false=fade * before.false + day.false,
        arrived=fade * before.arrived + day.arrived,
        offered_h=fade * before.offered_h + day.offered_h,
        left=fade * before.left + day.left,
        stayed_h=fade * before.stayed_h + day.stayed_h,
        light=_more(before.light, day.light, fade),
        sound=_more(before.sound, day.sound, fade),
    )
    was, is_ = known(model, before), known(model, after)
    moved = max(abs(is_[name].value - was[name].value) / was[name].prior_sd for name in is_)
    return replace(after, moved=moved)


def _air(model: RoomModel, learned: Calibration) -> dict[str, Known]:
    """Air changes, log-normal, and breath, normal: means of days under their priors."""
    ln_changes, air_days, breath, breath_days = learned.air
    prior, day = CHANGES_SD**-2, CHANGES_DAY_SD**-2
    sd = (prior + air_days * day) ** -0.5
    changes = exp((prior * log(model.air_changes) + day * ln_changes) * sd**2)
    own = BREATH_SD**-2
    seen = min(breath_days * BREATH_DAY_SD**-2, own)
    mean = breath / breath_days if breath_days else model.breath
    breathes = (own * model.breath + seen * mean) / (own + seen)
    return {
        "air_changes": Known(
            changes, changes * sd, model.air_changes, model.air_changes * CHANGES_SD
        ),
        "breath": Known(breathes, (own + seen) ** -0.5, model.breath, BREATH_SD),
    }


def _beta(prior: float, hits: float, tries: float) -> Known:
    a, n = prior * FALSE_SAMPLES + hits, FALSE_SAMPLES + tries
    value = min(a / n, 0.2)
    spread = sqrt(prior * (1 - prior) / FALSE_SAMPLES)
    return Known(value, sqrt(value * (1 - value) / n), prior, spread)


def _gamma(prior: float, events: float, hours: float) -> Known:
    shape = RATE_SHAPE + INFERRED * events
    rate = RATE_SHAPE / prior + INFERRED * hours
    return Known(shape / rate, sqrt(shape) / rate, prior, prior / sqrt(RATE_SHAPE))


def _more(before: Levels | None, day: Levels | None, fade: float) -> Levels | None:
    if before is None or day is None:
        return before or day
    return Levels(
        _faded(before.empty, day.empty, fade),
        _faded(before.taken, day.taken, fade),
        fade * before.gain + day.gain,
    )


def _faded(before: Sequence[float], day: Sequence[float], fade: float) -> tuple[float, ...]:
    return tuple(fade * a + b for a, b in zip(before, day, strict=True))


def log_ratios(levels: Levels) -> tuple[float, ...]:
    """ln P(level | somebody) / P(level | nobody), drawn towards 0 where little was seen."""
    empty, taken = np.array(levels.empty), np.array(levels.taken)
    pooled = (empty + taken + 1 / empty.size) / (empty.sum() + taken.sum() + 1)
    there = (taken + LEVEL_PRIOR * pooled) / (taken.sum() + LEVEL_PRIOR)
    away = (empty + LEVEL_PRIOR * pooled) / (empty.sum() + LEVEL_PRIOR)
    return tuple(np.clip(np.log(there / away), -LEVEL_MOST, LEVEL_MOST).tolist())


def _speaks(levels: Levels) -> bool:
    """Enough was seen of both, and what was learned has foretold later days."""
    halves = min(sum(levels.empty), sum(levels.taken))
    return 0.5 * halves >= LEVEL_HOURS and levels.gain >= LEVEL_GAIN


def _levels(sensor: Sensor, levels: Levels) -> Learned:
    return Learned(sensor, EDGES[sensor], log_ratios(levels))
