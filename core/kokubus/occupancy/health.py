"""Which sensors cannot be believed: told from what they have lately said, not by looking."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kokubus.messages import Instant

HOUR_MS = 3_600_000
QUIET_MS = {"pir": 900_000, "co2": 900_000}
QUIET_ELSE_MS = 3_600_000
"""An agent repeats an unchanged PIR or CO2 value every half minute, others every five."""
POSSIBLE = {
    "co2": (300.0, 10_000.0),
    "pir": (0.0, 1.0),
    "light": (0.0, 200_000.0),
    "temperature": (-40.0, 70.0),
    "humidity": (0.0, 100.0),
    "sound": (0.0, 200.0),
}
"""What can be true in a room: an SCD30's range, direct sunlight, the air of a hard winter."""
FEW = 30
STUCK_MS = 12 * HOUR_MS
FRESH_PPM = (350.0, 800.0)
"""What the lowest value of a week is in a working CO2 sensor: outdoor air is near 420 ppm."""
WEEK_MS = 5 * 24 * HOUR_MS
BUSY = 20


class Fault(StrEnum):
    """Why a sensor is left out."""

    SILENT = "silent"
    OUT_OF_RANGE = "out_of_range"
    STUCK = "stuck"
    DRIFTING = "drifting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """What a sensor said: when last, in the last hour, in the last twelve, in a week.

    ``hour_count`` readings of which ``hour_wrong`` lie outside `POSSIBLE`; lowest, highest
    and number of the last twelve hours' with the milliseconds they span; the lowest, the
    highest and the span of the week. ``passages`` through the room's doors in that week.
    """

    quantity: str
    last_at: Instant | None
    hour_count: int = 0
    hour_wrong: int = 0
    low: float = 0.0
    high: float = 0.0
    count: int = 0
    span_ms: int = 0
    week_low: float = 0.0
    week_high: float = 0.0
    week_span_ms: int = 0
    passages: int = 0


def judge(lately: Lately, now: Instant) -> Fault | None:
    """What is wrong with a sensor; None if nothing is known to be.

    Of a quantity that is not in `POSSIBLE` nothing is: a beam speaks only when it is crossed.
    """
    if lately.quantity not in POSSIBLE:
        return None
    if lately.last_at is None or now - lately.last_at > quiet_ms(lately.quantity):
        return Fault.SILENT
    if lately.hour_wrong * 2 > lately.hour_count:
        return Fault.OUT_OF_RANGE
    if _stuck(lately):
        return Fault.STUCK
    return Fault.DRIFTING if _drifting(lately) else None


def quiet_ms(quantity: str) -> int:
    """How long a sensor of this quantity may say nothing."""
    return QUIET_MS.get(quantity, QUIET_ELSE_MS)


def _stuck(lately: Lately) -> bool:
    """The same value for half a day; a PIR may rest, but not while people come and go."""
    if lately.count < FEW or lately.span_ms < 0.9 * STUCK_MS:
        return False
    if lately.quantity == "pir":
        blind = lately.week_high == 0 and lately.week_span_ms >= WEEK_MS
        return lately.low > 0 or (blind and lately.passages >= BUSY)
    return lately.quantity == "co2" and lately.low == lately.high


def _drifting(lately: Lately) -> bool:
    """A CO2 sensor that has not seen fresh air for a week, or sees less than there is."""
    if lately.quantity != "co2":
        return False
    lowest, highest = FRESH_PPM
    return lately.high < lowest or (lately.week_span_ms >= WEEK_MS and lately.week_low > highest)
