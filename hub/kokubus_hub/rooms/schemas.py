"""A room in JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from kokubus_hub.i18n import Words
from kokubus_hub.rooms.service import RoomSeen
from kokubus_hub.rooms.words import FAULTS, reasons
from kokubus_hub.times import Time


class SensorOut(BaseModel):
    """A sensor: ``fault`` says why it is left out of the count (None: it is not)."""

    id: str
    quantity: str
    heard_at: Time | None
    fault: str | None
    said: str | None = Field(description="The fault as a sentence")


class ParameterOut(BaseModel):
    """A parameter of the room's filter as it is known, and as physics alone would have it."""

    value: float
    sd: float
    prior: float
    prior_sd: float


class CalibrationOut(BaseModel):
    """What the room has taught its filter."""

    days: int
    converged: bool
    parameters: dict[str, ParameterOut]


class RoomSeenOut(BaseModel):
    """A room's count with its 90 % interval, why it is believed, and how far it can be."""

    id: str
    name: str
    capacity: int
    volume_m3: float | None
    at: Time
    median: int | None
    mean: float | None
    low: int | None
    high: int | None
    presence: float | None
    weights: dict[str, float] = Field(description="Log-odds of presence by sensor")
    reasons: list[str]
    drift: bool
    sensors: list[SensorOut]
    calibration: CalibrationOut

    @classmethod
    def of(cls, room: RoomSeen, words: Words) -> RoomSeenOut:
        """The room, its sentences in somebody's language."""
        count = room.estimate
        return cls(
            id=room.place.slug,
            name=room.row.name,
            capacity=room.place.capacity,
            volume_m3=room.row.volume_m3,
            at=room.at,
            median=count.median if count else None,
            mean=round(count.mean, 2) if count else None,
            low=count.low if count else None,
            high=count.high if count else None,
            presence=round(count.presence, 4) if count else None,
            weights={str(s): round(w, 3) for s, w in count.contributions.items()} if count else {},
            reasons=list(reasons(count, words)) if count else [],
            drift=count.drift if count else False,
            sensors=_sensors(room, words),
            calibration=_calibration(room),
        )


class HeadCountIn(BaseModel):
    """Somebody has looked: so many people are in the room now."""

    people: Annotated[int, Field(ge=0, le=1_000)]


def _sensors(room: RoomSeen, words: Words) -> list[SensorOut]:
    return [
        SensorOut(
            id=one.slug,
            quantity=one.quantity,
            heard_at=one.heard_at,
            fault=one.fault,
            said=words.say(FAULTS[one.fault]) if one.fault else None,
        )
        for one in room.sensors
    ]


def _calibration(room: RoomSeen) -> CalibrationOut:
    return CalibrationOut(
        days=room.calibration.days,
        converged=room.calibration.converged,
        parameters={
            name: ParameterOut(value=one.value, sd=one.sd, prior=one.prior, prior_sd=one.prior_sd)
            for name, one in room.parameters.items()
        },
    )
