"""The open data sets as the filter would have met them: reading by reading.

Neither source comes with the room's capacity or volume; what stands here are assumptions, made
once and not tuned, and they matter. UCI 864: one place more than were ever counted, the default
volume (60 m3); accuracy is 0.86 with three places (45 m3), 0.94 with four and 77 m3, 0.90 with
90 m3. UCI 357: an office for two of about 72 m3; presence hardly depends on it (0.935 to 0.943
for 50 to 90 m3).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kokubus.occupancy import (
    Belief,
    Co2,
    Estimate,
    Evidence,
    Pir,
    RoomModel,
    Sensor,
    estimate,
    initial,
    update,
)

DATA = Path(__file__).parent.parent / "tests" / "data" / "occupancy"
OPEN_HOURS = range(7, 20)
ROOM_864 = RoomModel(capacity=4, sensors=frozenset({Sensor.PIR, Sensor.CO2}))
ROOM_357 = RoomModel(capacity=2, volume_m3=72.0, sensors=frozenset({Sensor.CO2}))


@dataclass(frozen=True, slots=True)
class Moment:
    """What the sensors said at one instant, and how many people were counted by eye."""

    at: int
    open: bool
    evidence: tuple[Evidence, ...]
    people: int


def uci864() -> Iterator[Moment]:
    """PIR (either of two) and CO2 every half minute; ``people`` is 0 to 3."""
    for row in _rows("uci864.csv.gz"):
        when = datetime.strptime(row["Date"] + row["Time"], "%Y/%m/%d%H:%M:%S").replace(tzinfo=UTC)
        at, fired = _milliseconds(when), "1" in (row["S6_PIR"], row["S7_PIR"])
        evidence = (Pir(at, fired), Co2(at, float(row["S5_CO2"])))
        yield Moment(at, when.hour in OPEN_HOURS, evidence, int(row["Room_Occupancy_Count"]))


def uci357() -> Iterator[Moment]:
    """CO2 every minute; ``people`` is 1 for one or more."""
    for row in _rows("uci357_test1.csv.gz"):
        when = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)
        at = _milliseconds(when)
        evidence = (Co2(at, float(row["CO2"])),)
        yield Moment(at, when.hour in OPEN_HOURS, evidence, int(row["Occupancy"]))


def follow(model: RoomModel, moments: Iterable[Moment]) -> Iterator[tuple[Estimate, int]]:
    """(estimate, people) after each moment, knowing nothing of later ones."""
    belief: Belief | None = None
    for moment in moments:
        belief = belief or initial(model, moment.at)
        for evidence in moment.evidence:
            belief = update(model, belief, evidence, moment.open)
        yield estimate(model, belief, moment.at, moment.open), moment.people


def count_scores() -> dict[str, float]:
    """UCI 864: accuracy and mean absolute error of the median, coverage of the 90 % interval."""
    pairs = list(follow(ROOM_864, uci864()))
    return {
        "uci864_accuracy": _mean(e.median == n for e, n in pairs),
        "uci864_mae": _mean(abs(e.median - n) for e, n in pairs),
        "uci864_coverage": _mean(e.low <= n <= e.high for e, n in pairs),
    }


def presence_score() -> float:
    """UCI 357: share of minutes in which "somebody is inside" was right, from CO2 alone."""
    return _mean((e.presence > 0.5) == (n > 0) for e, n in follow(ROOM_357, uci357()))


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="ascii", newline="") as lines:
        yield from csv.DictReader(lines)


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept)
