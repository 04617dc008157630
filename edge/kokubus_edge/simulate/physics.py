"""The air of a room with people in it, and what its sensors would show.

Pure: time that passes and chance are passed in. The mass balance of a well mixed room is that of
ASTM D6245: each person breathes out CO2, fresh air dilutes it. 18 l/h a person is light desk
work; the rates are those the occupancy filter assumes (`kokubus.occupancy`), and the noise is
not, so that counting stays a problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

OUTDOOR_PPM = 420.0
BREATH_L_PER_H = 18.0
AIR_CHANGES_PER_H = 0.8
REST_CELSIUS = 20.5
REST_HUMIDITY = 42.0
WARMTH_HOURS = 1.5
WARMING_K_M3 = 12.0
"""Kelvin one person adds to a cubic metre of room in the long run: walls swallow most of 100 W."""
MOISTENING_M3 = 55.0
"""The same for relative humidity, in per cent."""
PIR_FALSE = 0.01
PIR_SEEN = 0.15
PIR_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Room:
    """``volume_m3`` in cubic metres; ``air_changes`` per hour."""

    volume_m3: float
    air_changes: float = AIR_CHANGES_PER_H


@dataclass(frozen=True, slots=True)
class Air:
    """CO2 in ppm, temperature in degrees Celsius, relative humidity in per cent."""

    co2: float = OUTDOOR_PPM
    celsius: float = REST_CELSIUS
    humidity: float = REST_HUMIDITY


def breathe(air: Air, room: Room, people: int, seconds: float) -> Air:
    """The air after ``seconds`` with ``people`` in the room all the while: exact for any time."""
    hours = seconds / 3600
    breathed = BREATH_L_PER_H * 1000 / room.volume_m3 * people
    settled = OUTDOOR_PPM + breathed / room.air_changes
    warm = REST_CELSIUS + WARMING_K_M3 * people / room.volume_m3
    damp = REST_HUMIDITY + MOISTENING_M3 * people / room.volume_m3
    return Air(
        co2=_towards(settled, air.co2, hours * room.air_changes),
        celsius=_towards(warm, air.celsius, hours / WARMTH_HOURS),
        humidity=_towards(damp, air.humidity, hours * room.air_changes),
    )


def settled(room: Room, people: int) -> Air:
    """The air after a long time with ``people`` in the room."""
    return breathe(Air(), room, people, 1e9)


def motion_chance(people: int, seconds: float) -> float:
    """Probability that a PIR sees somebody within ``seconds``; a heater's draught included."""
    quiet = (1 - PIR_FALSE) * (1 - PIR_SEEN) ** people
    return float(1 - quiet ** (seconds / PIR_WINDOW_S))


@dataclass(frozen=True, slots=True)
class Sensing:
    """How a sensor blurs what it measures: standard deviation and the step it rounds to."""

    sigma: float
    step: float

    def measured(self, value: float, noise: float) -> float:
        """``noise`` is a draw of a standard normal distribution."""
        return round(round((value + self.sigma * noise) / self.step) * self.step, 6)


SENSING = {
    "co2": Sensing(sigma=6.0, step=1.0),
    "temperature": Sensing(sigma=0.05, step=0.01),
    "humidity": Sensing(sigma=0.2, step=0.01),
}
"""Repeatability and resolution of an SCD41 (Sensirion's data sheet, section 1)."""


def quantity(air: Air, name: str) -> float:
    """The ``co2``, ``temperature`` or ``humidity`` of the air; KeyError for anything else."""
    return {"co2": air.co2, "temperature": air.celsius, "humidity": air.humidity}[name]


def _towards(goal: float, value: float, lives: float) -> float:
    return goal + (value - goal) * exp(-lives)
