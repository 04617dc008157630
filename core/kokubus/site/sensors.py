"""``[[sensor]]``: what measures a room."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from kokubus.site.words import Id, Pin, Shape

AIR = ("co2", "temperature", "humidity")
MEASURES: Mapping[str, Collection[str]] = {
    "pir": ("pir",),
    "beam": ("beam",),
    "scd41": AIR,
    "scd30": AIR,
    "bh1750": ("light",),
    "esphome": ("pir", "beam", *AIR, "light"),
}
ON_I2C = frozenset({"scd41", "scd30", "bh1750"})
CHANGE = {"co2": 20.0, "temperature": 0.2, "humidity": 2.0, "light": 50.0, "pir": 0.5, "beam": 0.0}
"""What counts as a change, where the site does not say: ppm, deg C, %, lux."""
QUIET_S = {"pir": 30, "co2": 30}
"""How long a value that does not change may go unsaid: silence is no reading. Seconds."""
QUIET_ELSE_S = 300
PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "pir": (0, 1),
    "beam": (-1, 1),
    "co2": (200, 40_000),
    "temperature": (-40, 85),
    "humidity": (0, 100),
    "light": (0, 200_000),
}
"""Bounds of what can be measured; an SCD41 says 0 ppm while it has nothing to say."""
SILENT_S = {"esphome": 600}
"""After so many seconds without a value a sensor is missing, where the site does not say."""
SILENT_ELSE_S = 120
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class Sensor(Shape):
    """One quantity of one room.

    ``pin`` only where it is a plain wire: a PIR, or the outer of a pair of light beams, whose
    inner one is ``inner_pin``; ``topic`` is where an ESPHome node says its value on the site's
    own broker. A value is said when it changed by ``change``, never more often than every
    ``at_most_s`` and, unchanged, every ``at_least_s`` seconds. After ``silent_after_s`` without
    any it is reported missing.
    """

    id: Id
    room: Id
    quantity: Literal["pir", "beam", "co2", "temperature", "humidity", "light"]
    kind: Literal["pir", "beam", "scd41", "scd30", "bh1750", "esphome"]
    device: Id
    pin: Pin | None = None
    inner_pin: Pin | None = None
    address: Literal[0x23, 0x5C] = 0x23
    topic: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^+#\x00]+$")] = (
        None
    )
    change: Annotated[float | None, Field(ge=0, le=1e6, allow_inf_nan=False)] = None
    at_most_s: Seconds = 1
    at_least_s: Seconds | None = None
    silent_after_s: Seconds | None = None

    @property
    def step(self) -> float:
        """What counts as a change."""
        return CHANGE[self.quantity] if self.change is None else self.change

    @property
    def quiet_s(self) -> int:
        """After how many seconds an unchanged value is said again."""
        return self.at_least_s or QUIET_S.get(self.quantity, QUIET_ELSE_S)

    @property
    def silent_s(self) -> int:
        """After how many seconds without a value it is missing."""
        return self.silent_after_s or SILENT_S.get(self.kind, SILENT_ELSE_S)

    def sound(self, value: float) -> bool:
        """Whether a value can be true."""
        lowest, highest = PLAUSIBLE[self.quantity]
        return lowest <= value <= highest

    def wires(self) -> Iterator[tuple[str, int]]:
        """(key, pin) of all that is connected, but for the I2C bus."""
        for key in ("pin", "inner_pin"):
            pin = getattr(self, key)
            if pin is not None:
                yield key, pin
