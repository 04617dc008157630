"""A battery clock (RTC) on the board or on its I2C bus: is there one, and does its cell last?

Linux shows it under ``/sys/class/rtc`` (Documentation/ABI/testing/sysfs-class-rtc). A driver
whose chip noticed that its oscillator had stopped refuses to tell the time; the Pi 5's also
shows its cell's voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kokubus.messages import Instant

FOLDER = Path("/sys/class/rtc/rtc0")
_FLAT_UV = 2_000_000
"""Below it a 3 V lithium cell is empty."""
_BORN_MS: Instant = 1_735_689_600_000
"""2025-01-01: a clock that says less has begun anew."""


class RtcState(StrEnum):
    """What a look at the battery clock found."""

    ABSENT = "absent"
    FLAT = "flat"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Rtc:
    """``at`` is what it says, to the second, if it can be believed; ``detail`` a sentence."""

    state: RtcState
    detail: str
    at: Instant | None = None


def look(last: Instant | None = None, folder: Path = FOLDER) -> Rtc:
    """Ask the battery clock; waits for its bus, some milliseconds.

    ``last`` is a time that has passed for sure: a clock that is behind it has stood still.
    """
    if not folder.exists():
        return Rtc(RtcState.ABSENT, "there is no battery clock: after a power cut the time is lost")
    voltage = _number(folder / "battery_voltage")
    if voltage is not None and voltage < _FLAT_UV:
        return _flat(f"its cell gives {voltage / 1e6:.1f} V")
    seconds = _number(folder / "since_epoch")
    if seconds is None:
        return _flat("it has lost the time")
    if seconds * 1000 < max(_BORN_MS, last or 0) - 1000:
        return _flat("it has stood still")
    return Rtc(RtcState.OK, "the battery clock keeps the time", seconds * 1000)


def _flat(why: str) -> Rtc:
    return Rtc(RtcState.FLAT, f"the battery clock's cell is flat or missing ({why}); replace it")


def _number(file: Path) -> int | None:
    """None if there is no such file, or what it stands for cannot be read."""
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):
        return None
