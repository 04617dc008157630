"""What time it is at a device, and how far that can be believed."""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from kokubus.messages import Clock, Instant
from kokubus_edge import rtc
from kokubus_edge.atomic import write_atomically
from kokubus_edge.rtc import Rtc

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5
_TIMEX_BYTES = 512
HOLDOVER_MS = 7 * 86_400_000
_QUARTZ_PPM = 100
ERROR_MS = HOLDOVER_MS * _QUARTZ_PPM / 1_000_000
"""A minute: what a Pi's own quartz may be off by after seven days. Time known less well is none."""
_STEP_MS = 60_000
_LEAP_MS = 2_000
"""The kernel repeats or skips a second at a leap; that is nobody setting the clock."""
_RTC_READS_MS = 1_000
_ANSWER_MS = 10_000


class Timepiece(Protocol):
    """What the agent's parts need of a clock; all durations and instants in milliseconds."""

    @property
    def boot(self) -> str:
        """Names this boot of the machine."""

    def now(self) -> Instant:
        """Wall time, however far it can be believed."""

    def mono(self) -> int:
        """Time since boot; never steps, goes on through a suspend."""

    def trust(self) -> Clock:
        """How far `now` can be believed."""


def wall_ms() -> int:
    """CLOCK_REALTIME in milliseconds."""
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    """CLOCK_BOOTTIME in milliseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_id() -> str:
    """The kernel's name of this boot (random(4))."""
    return _BOOT_ID.read_text("ascii").strip()


def kernel_synced() -> bool:
    """Whether something keeps the kernel's clock right: adjtimex(2) not in TIME_ERROR.

    The buffer is larger than any ``struct timex``; ``modes`` 0 only asks.
    """
    state: int = ctypes.CDLL(None, use_errno=True).adjtimex(
        ctypes.create_string_buffer(_TIMEX_BYTES)
    )
    return 0 <= state < _TIME_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a clock's readings come from; tests and simulations put their own here."""

    wall: Callable[[], int] = wall_ms
    mono: Callable[[], int] = boot_ms
    boot: Callable[[], str] = boot_id
    synced: Callable[[], bool] = kernel_synced
    rtc: Callable[[Instant | None], Rtc] = rtc.look


@dataclass(frozen=True, slots=True)
class _Known:
    """The time was ``at`` at the uptime ``mono`` of ``boot``, give or take ``error_ms``."""

    at: Instant
    mono: int
    boot: str
    error_ms: float = 0.0

    def error_at(self, mono: int) -> float:
        """How far off it may be at a later uptime of its boot, by the Pi's quartz."""
        return self.error_ms + (mono - self.mono) * _QUARTZ_PPM / 1_000_000


class DeviceClock:
    """Wall and boot time, and the last instant that could be trusted, kept in ``path``.

    ``drift_ppm`` is what the battery clock's maker states, None where there is none to rely
    on. ``always`` overrides the verdict: a simulation says what it wants believed. Making a
    clock waits for disk and battery clock; `now`, `mono` and `trust` wait for nothing.
    """

    def __init__(
        self,
        path: Path,
        machine: Machine | None = None,
        *,
        drift_ppm: float | None = None,
        always: Clock | None = None,
    ) -> None:
        self._path = path
        self._machine = machine or Machine()
        self._drift_ppm = drift_ppm
        self._always = always
        self._told: _Known | None = None
        self._told_ms = 0
        self._sure = self._last = _read(path)
        self.boot = self._machine.boot()
        self._ask_battery()

    def now(self) -> Instant:
        """Wall time, or what the hub told and has passed since; however far it can be believed.

        The kernel's clock jumps when it learns the time: what was told is not added to that.
        """
        told = self._told
        if told is None or self._machine.synced():
            return self._machine.wall()
        return told.at + self.mono() - told.mono

    def mono(self) -> int:
        """Time since boot; never steps, goes on through a suspend."""
        return self._machine.mono()

    def trust(self) -> Clock:
        """``synced`` by the kernel's word; ``holdover`` while the last trusted time carries.

        It carries until it may be a minute off: seven days by the Pi's quartz, within its
        boot and unless somebody set the clock; into another boot by a battery clock as long
        as its stated drift allows. Time before the last trusted instant is never believed.
        """
        if self._always is not None:
            return self._always
        if self._machine.synced():
            self._synced()
            return Clock.SYNCED
        return Clock.HOLDOVER if self._last and self._carries(self._last) else Clock.UNTRUSTED

    def told(self, at: Instant, asked: int) -> bool:
        """Take the hub's signed time, its answer to what was asked at uptime ``asked``.

        False if it took too long on its way to say much, or the kernel knows better.
        """
        mono = self.mono()
        way = mono - asked
        if self._machine.synced() or not 0 <= way <= _ANSWER_MS:
            return False
        known = _Known(at + way // 2, mono, self.boot, way / 2)
        self._told_ms = known.at - self._machine.wall()
        self._sure = self._last = self._told = known
        return True

    def remember(self) -> None:
        """Keep the last trusted time. Waits for disk and battery clock; OSError from the disk."""
        if self.trust() is Clock.HOLDOVER:
            self._ask_battery()
        if self._sure is not None:
            write_atomically(self._path, json.dumps(asdict(self._sure)).encode())

    def _synced(self) -> None:
        self._told = None
        now = self._machine.wall()
        if self._last is None or now > self._last.at - _LEAP_MS:
            self._sure = self._last = _Known(now, self.mono(), self.boot)

    def _carries(self, last: _Known) -> bool:
        offset = self._told_ms if self._told else 0
        now, mono = self._machine.wall() + offset, self.mono()
        if last.boot != self.boot or now < last.at - _LEAP_MS:
            return False
        stepped = abs((now - last.at) - (mono - last.mono)) >= _STEP_MS
        return not stepped and last.error_at(mono) < ERROR_MS

    def _ask_battery(self) -> None:
        """Know the time by the battery clock, where that is better than what is known.

        It has drifted since the time was last sure, whatever was read of it in between.
        """
        sure, last = self._sure, self._last
        if sure is None or last is None or self._drift_ppm is None:
            return
        said = self._machine.rtc(sure.at)
        if said.at is None:
            return
        now, mono = self.now(), self.mono()
        drifted = max(0, said.at - sure.at) * self._drift_ppm / 1_000_000
        error = sure.error_ms + drifted + abs(now - said.at) + _RTC_READS_MS
        carried = last.error_at(mono) if last.boot == self.boot else ERROR_MS
        if now >= sure.at - _LEAP_MS and error < min(ERROR_MS, carried):
            self._last = _Known(now, mono, self.boot, error)


def _read(path: Path) -> _Known | None:
    """None also for a damaged file: less is believed then, never more."""
    try:
        raw = json.loads(path.read_bytes())
        error = float(raw.get("error_ms", 0.0))
        return _Known(int(raw["at"]), int(raw["mono"]), str(raw["boot"]), error)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
