"""What is known about a room before anybody enters it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, sqrt

import numpy as np

from kokubus.messages import Side
from kokubus.occupancy.evidence import Sensor
from kokubus.occupancy.kinetics import HOUR_MS, Matrix, Steps, Vector, steps
from kokubus.occupancy.passages import kernel

EXHALED_PPM_M3_PER_H = 18_000.0
M3_A_PLACE = 15.0


@dataclass(frozen=True, slots=True)
class Learned:
    """What levels of light or sound mean in one room: log P(level | somebody) / P(level | nobody).

    Level ``i`` lies between ``edges[i - 1]`` and ``edges[i]`` (in ln(1 + value)), so there is
    one more of ``log_ratios`` than of ``edges``.
    """

    sensor: Sensor
    edges: tuple[float, ...]
    log_ratios: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RoomModel:
    """Parameters of one room's filter; only capacity, volume and sensors need asking.

    ``sensors`` are those installed. ``volume_m3`` None means fifteen cubic metres a place.

    ``arrivals_per_place`` and ``departures`` (of each person) are per hour while the room is
    open; outside opening hours arrivals are ``closed_arrivals`` of that. Where a badge reader
    or a beam counts, they are the rates of people it misses: ``missed`` of all, but with
    badges alone ``missed_exits`` of all departures, since leaving needs no badge.

    ``pir_false`` is P(fired | nobody), ``pir_seen`` the chance that one person is seen;
    ``air_changes`` per hour, ``breath`` what people breathe out as a multiple of 18 l/h,
    ``co2_sigma`` ppm and ``co2_nu`` of the Student-t noise. The weights temper readings that
    are not independent: of one PIR sample, and of all CO2 readings in one lag. ``learned``
    is what light and sound mean here. Defaults are physical priors, fitted to no data set
    (docs/occupancy.md says where each comes from); `kokubus.occupancy.calibration` moves
    some of them to what a room has shown.

    ValueError if the capacity is below one or a volume is not positive.
    """

    capacity: int
    volume_m3: float | None = None
    sensors: frozenset[Sensor] = field(default_factory=frozenset)

    arrivals_per_place: float = 0.25
    departures: float = 0.5
    closed_arrivals: float = 0.1
    missed: float = 0.2
    missed_exits: float = 0.6

    pir_false: float = 0.01
    pir_seen: float = 0.15
    pir_weight: float = 0.5

    air_changes: float = 0.8
    breath: float = 1.0
    co2_sigma: float = 8.0
    co2_nu: float = 4.0
    co2_weight: float = 0.5
    co2_lag_ms: int = 300_000

    learned: tuple[Learned, ...] = ()

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"a room's capacity is at least 1, not {self.capacity}")
        if self.volume_m3 is not None and self.volume_m3 <= 0:
            raise ValueError(f"a room's volume is positive, not {self.volume_m3} m3")

    @property
    def places(self) -> int:
        """N: rooms are sometimes fuller than planned, hence 1.3 x capacity."""
        return ceil(1.3 * self.capacity)

    @property
    def ppm_per_person_h(self) -> float:
        """gamma: 18 litres of CO2 an hour from a seated adult, in the room's volume."""
        volume = self.volume_m3 or M3_A_PLACE * self.capacity
        return self.breath * EXHALED_PPM_M3_PER_H / volume

    def rates(self, open_: bool) -> tuple[float, float]:
        """(arrivals into the empty room, departures of each person), unobserved, per hour."""
        arrivals = (
            self.arrivals_per_place * self.capacity * (1.0 if open_ else self.closed_arrivals)
        )
        if Sensor.BEAM in self.sensors:
            return arrivals * self.missed, self.departures * self.missed
        if Sensor.BADGE in self.sensors:
            return arrivals * self.missed, self.departures * self.missed_exits
        return arrivals, self.departures

    @cached_property
    def ready(self) -> Ready:
        """Everything that depends on the model alone, computed once."""
        return Ready(self)


class Ready:
    """A model's matrices and vectors, each made when it is first asked for."""

    def __init__(self, model: RoomModel) -> None:
        self._model = model
        self.size = size = model.places + 1
        self.counts: Vector = np.arange(size, dtype=np.float64)
        self.numbers: list[float] = self.counts.tolist()
        self.pir = (pir_likelihood(model, fired=False), pir_likelihood(model, fired=True))
        self.ppm_per_person = model.ppm_per_person_h / model.air_changes
        self.aired = -model.air_changes / HOUR_MS
        self.co2_width = model.co2_sigma * sqrt(model.co2_nu)
        self.co2_power = -(model.co2_nu + 1.0) / 2.0 * model.co2_weight
        self.learned = {one.sensor: one for one in model.learned}
        self._steps: dict[tuple[bool, int], Steps] = {}
        self._kernels: dict[tuple[Sensor, Side | None], Matrix] = {}

    def steps(self, open_: bool, lowest: int) -> Steps:
        """The transitions while the room is open or closed; nobody leaves below ``lowest``."""
        found = self._steps.get((open_, lowest))
        if found is None:
            found = steps(self.size, *self._model.rates(open_), lowest)
            self._steps[open_, lowest] = found
        return found

    def kernel(self, sensor: Sensor, side: Side | None) -> Matrix:
        """What a passage does to the count."""
        found = self._kernels.get((sensor, side))
        if found is None:
            found = self._kernels[sensor, side] = kernel(self.size, sensor, side)
        return found


def pir_likelihood(model: RoomModel, fired: bool) -> Vector:
    """P(fired | n) to the power of its weight, P = 1 - (1 - e0)(1 - q)^n, shape (N+1,)."""
    quiet = (1.0 - model.pir_false) * (1.0 - model.pir_seen) ** np.arange(model.places + 1)
    return np.asarray((1.0 - quiet if fired else quiet) ** model.pir_weight)
