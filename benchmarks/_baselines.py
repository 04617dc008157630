"""What others would say of the same room from the same evidence, minute by minute.

Two counters (people in minus people out, never below nobody), Home Assistant's Bayesian sensor
and a classifier that was shown the true counts of all other days.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks._simulated import DAY, MINUTE
from kokubus.messages import Side
from kokubus.occupancy import Co2, Evidence, Passage, Pir, Sensor

HA_PRIOR, HA_THRESHOLD = 0.3, 0.5
HA_OBSERVED = {"motion": (0.6, 0.02), "stale air": (0.8, 0.1), "badge": (0.9, 0.3)}
"""(prob_given_true, prob_given_false), as a careful user would set them up by hand."""
STALE_PPM = 600.0


def counter(
    evidence: Iterable[Evidence], sensor: Sensor, start: int, minutes: int, *, nightly: bool
) -> list[int]:
    """In minus out as one sensor saw it, by the minute; ``nightly`` starts each day at nobody."""
    people, counts, at = 0, [], 0
    seen = [one for one in evidence if isinstance(one, Passage) and one.sensor is sensor]
    moves = sorted(((one.at - start) // MINUTE, one.side is Side.IN) for one in seen)
    for minute in range(minutes):
        if nightly and minute % (DAY // MINUTE) == 0:
            people = 0
        while at < len(moves) and moves[at][0] <= minute:
            people = max(0, people + (1 if moves[at][1] else -1))
            at += 1
        counts.append(people)
    return counts


def home_assistant(features: NDArray[np.float64]) -> list[bool]:
    """Home Assistant's Bayesian sensor: odds multiplied up, one observation after another.

    ``update_probability`` of homeassistant/components/bayesian: p = t p / (t p + f (1 - p)),
    from the prior anew at every state; on from the threshold. An observation that is off
    counts with 1 - t and 1 - f (https://www.home-assistant.io/integrations/bayesian).
    """
    said = []
    for ppm, _, moved, badges, _ in features:
        p = HA_PRIOR
        states = {"motion": moved > 0, "stale air": ppm > STALE_PPM, "badge": badges > 0}
        for name, (given_true, given_false) in HA_OBSERVED.items():
            t, f = (given_true, given_false) if states[name] else (1 - given_true, 1 - given_false)
            p = t * p / (t * p + f * (1 - p))
        said.append(p >= HA_THRESHOLD)
    return said


def features(evidence: Sequence[Evidence], start: int, minutes: int) -> NDArray[np.float64]:
    """By the minute: CO2, its rise in ten minutes, motions in ten, badges in minus out, the hour.

    Shape (minutes, 5); a value nobody reported stays as it was.
    """
    ppm, motions = np.full(minutes, np.nan), np.zeros(minutes)
    for one in evidence:
        minute = (one.at - start) // MINUTE
        if 0 <= minute < minutes and isinstance(one, Co2):
            ppm[minute] = one.ppm
        elif 0 <= minute < minutes and isinstance(one, Pir):
            motions[minute] += one.fired
    known = np.where(np.isnan(ppm), 0, np.arange(minutes))
    ppm = ppm[np.maximum.accumulate(known)]
    ppm = np.where(np.isnan(ppm), np.nanmean(ppm), ppm)
    rise = ppm - np.concatenate([np.full(10, ppm[0]), ppm[:-10]])
    lately = np.convolve(motions, np.ones(10))[:minutes]
    badges = counter(evidence, Sensor.BADGE, start, minutes, nightly=True)
    hour = (np.arange(minutes) + (start // MINUTE) % 1440) % 1440 / 60
    return np.column_stack([ppm, rise, lately, badges, hour])


def supervised(
    inputs: NDArray[np.float64], people: Sequence[int], days: Sequence[int]
) -> NDArray[np.int64]:
    """What a random forest says of each day once it has learned all others' counts."""
    truth, day_of = np.asarray(people), np.asarray(days)
    said = np.zeros(len(truth), dtype=np.int64)
    for day in np.unique(day_of):
        seen = day_of != day
        if len(np.unique(truth[seen])) < 2:
            said[~seen] = truth[seen][0]
            continue
        trees = RandomForestClassifier(100, min_samples_leaf=10, random_state=1)
        said[~seen] = trees.fit(inputs[seen], truth[seen]).predict(inputs[~seen])
    return said
