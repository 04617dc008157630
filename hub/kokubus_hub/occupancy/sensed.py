"""What a sensor's value says about the people in its room."""

from __future__ import annotations

from kokubus.messages import Instant, Side
from kokubus.occupancy import Co2, Evidence, Indirect, Passage, Pir, Sensor

_INDIRECT = {"light": Sensor.LIGHT, "sound": Sensor.SOUND}
TELLING = ("beam", "co2", "pir", *_INDIRECT)
"""The quantities that are evidence."""


def evidence_of(quantity: str, at: Instant, value: float) -> Evidence | None:
    """The evidence of one reading; None for what says nothing about people."""
    match quantity:
        case "co2":
            return Co2(at, value)
        case "pir":
            return Pir(at, fired=value > 0)
        case "beam" if value:
            return Passage(at, Sensor.BEAM, Side.IN if value > 0 else Side.OUT)
        case "light" | "sound":
            return Indirect(at, _INDIRECT[quantity], value)
    return None
