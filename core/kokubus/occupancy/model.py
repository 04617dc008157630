"""What is known about a room before anybody enters it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from kokubus.occupancy.evidence import Sensor

EXHALED_PPM_M3_PER_H = 18_000.0
COUNTED = frozenset({Sensor.BADGE, Sensor.BEAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomModel:
    """Parameters of one room's filter; only ``capacity``, volume and sensors need asking.

    ``sensors`` are those installed. With a badge reader or a beam among them the rates are
    those of people nobody saw: `unseen` of what they would be. ``volume_m3`` None means
    fifteen cubic metres a place. Rates are per hour, ``places`` is the largest n considered.
    ValueError if the capacity is below one or a volume is not positive.
    """

    capacity: int
    volume_m3: float | None = None
    sensors: frozenset[Sensor] = field(default_factory=frozenset)

    arrivals_per_place: float = 0.25
    departures: float = 0.5
    closed_arrivals: float = 0.1
    unseen: float = 0.2

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
        """Arrivals an hour into the empty room and departures an hour of each person."""
        part = self.unseen if self.sensors & COUNTED else 1.0
        arrivals = self.arrivals_per_place * self.capacity * part
        return arrivals * (1.0 if open_ else self.closed_arrivals), self.departures * part
