"""What the filter is told: somebody passed a door, a sensor was read, the room was closed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from kokubus.messages import Instant, Side


class Sensor(StrEnum):
    """Where evidence about a room comes from; the keys of `Estimate.contributions`.

    LABEL is a person who has counted.
    """

    BADGE = "badge"
    BEAM = "beam"
    CONTACT = "contact"
    PIR = "pir"
    CO2 = "co2"
    LIGHT = "light"
    SOUND = "sound"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Passage:
    """Somebody passed a door of the room, as one sensor saw it.

    ``sensor`` is badge (a tap that was enforced as granted and led through the door), beam
    or contact. ``side`` is the way they went, seen from the room, None where the sensor
    cannot tell; a door opened by request-to-exit is a contact on side OUT. Badge, beam and
    contact within ten seconds are one event: report each of them, `update` joins them.
    """

    at: Instant
    sensor: Sensor
    side: Side | None = None

    @property
    def badged_in(self) -> bool:
        """Somebody is certainly inside now."""
        return self.sensor is Sensor.BADGE and self.side is Side.IN


class Pir(NamedTuple):
    """The state of a PIR motion sensor; send quiet states too, every half minute or so."""

    at: Instant
    fired: bool


class Co2(NamedTuple):
    """A CO2 concentration in ppm."""

    at: Instant
    ppm: float


@dataclass(frozen=True, slots=True)
class Indirect:
    """A level of light (lux) or sound (any unit, as long as it stays): ``sensor`` says which.

    It says nothing until what it means in this room was learned (`RoomModel.learned`).
    """

    at: Instant
    sensor: Sensor
    value: float


@dataclass(frozen=True, slots=True)
class HeadCount:
    """Somebody has looked and counted ``people``."""

    at: Instant
    people: int


@dataclass(frozen=True, slots=True)
class ClosingReset:
    """The room was found empty, or closed with nobody expected inside."""

    at: Instant


Evidence: TypeAlias = Passage | Pir | Co2 | Indirect | HeadCount | ClosingReset
