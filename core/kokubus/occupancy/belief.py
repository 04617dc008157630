"""What is believed of a room at one instant; the hub keeps it in a row."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from kokubus.messages import Instant, Side
from kokubus.occupancy.evidence import Sensor

SENSORS = tuple(Sensor)  # only ever append to Sensor: stored beliefs rely on the order
NO_WEIGHTS = (0.0,) * len(SENSORS)


class Event(NamedTuple):
    """One passage and the sensors that saw it."""

    at: Instant
    side: Side | None
    seen_by: tuple[Sensor, ...]


class Belief(NamedTuple):
    """Posterior over n = 0..N at ``at``, and what later evidence needs to be judged.

    Until ``floor_until`` the room cannot be empty (somebody just badged in). ``co2`` are the
    readings of the last lag, oldest first, ``pir`` the last one counted, ``events`` the
    passages of the last seconds, ``indirect`` the last level of light or sound counted, by
    sensor. ``drift`` counts exits from a room believed empty since the last reset.
    ``weights`` are log-odds of "somebody is inside", one for each of `SENSORS`.
    """

    at: Instant
    posterior: tuple[float, ...]
    floor_until: Instant | None = None
    ambient_ppm: float | None = None
    co2: tuple[tuple[Instant, float], ...] = ()
    pir: tuple[Instant, bool] | None = None
    events: tuple[Event, ...] = ()
    drift: int = 0
    weights: tuple[float, ...] = NO_WEIGHTS
    indirect: tuple[tuple[Sensor, Instant, int], ...] = ()

    def to_json(self) -> str:
        """Compact JSON; floats in full, so that `from_json` gives back the same belief."""
        return json.dumps(
            {
                "v": 1,
                "at": self.at,
                "p": self.posterior,
                "floor": self.floor_until,
                "ambient": self.ambient_ppm,
                "co2": self.co2,
                "pir": self.pir,
                "events": self.events,
                "drift": self.drift,
                "weights": self.weights,
                "indirect": self.indirect,
            },
            separators=(",", ":"),
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Belief:
        """The belief `to_json` wrote; ValueError if it is anything else."""
        try:
            return cls(**_fields(json.loads(text)))
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"this is no belief of an occupancy filter: {error!r}") from error


def _fields(row: Any) -> dict[str, Any]:
    if row["v"] != 1:
        raise ValueError(f"a belief of version {row['v']} was written by a newer release")
    return {
        "at": row["at"],
        "posterior": tuple(row["p"]),
        "floor_until": row["floor"],
        "ambient_ppm": row["ambient"],
        "co2": tuple((at, ppm) for at, ppm in row["co2"]),
        "pir": row["pir"] and (row["pir"][0], row["pir"][1]),
        "events": tuple(_event(*event) for event in row["events"]),
        "drift": row["drift"],
        "weights": (*row["weights"], *NO_WEIGHTS)[: len(SENSORS)],
        "indirect": tuple((Sensor(name), at, bin_) for name, at, bin_ in row.get("indirect", ())),
    }


def _event(at: Instant, side: str | None, seen_by: list[str]) -> Event:
    return Event(at, None if side is None else Side(side), tuple(Sensor(name) for name in seen_by))
