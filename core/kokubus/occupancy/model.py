"""What is known about a room before anybody enters it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from kokubus.occupancy.evidence import Sensor

EXHALED_PPM_M3_PER_H = 18_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomModel:
    """Parameters of one room's filter; only capacity, volume and sensors need asking.

    ``sensors`` are those installed. ``volume_m3`` None means fifteen cubic metres a place.

    ``arrivals_per_place`` and ``departures`` (of each person) are per hour while the room is
    open; outside opening hours arrivals are ``closed_arrivals`` of that. Where a badge reader
    or a beam counts, they are the rates of people it misses: ``missed`` of all, but with
    badges alone ``missed_exits`` of all departures, since leaving needs no badge.

    ``pir_false`` is P(fired | nobody), ``pir_seen`` the chance that one person is seen;
    ``air_changes`` per hour, ``co2_sigma`` ppm and ``co2_nu`` of the Student-t noise. The
    weights temper readings that are not independent: of one PIR sample, and of all CO2
    readings in one lag. Defaults are physical priors, fitted to no data set.

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
    co2_sigma: float = 8.0
    co2_nu: float = 4.0
    co2_weight: float = 0.5
    co2_lag_ms: int = 300_000

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
        return EXHALED_PPM_M3_PER_H / (self.volume_m3 or 15.0 * self.capacity)

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
