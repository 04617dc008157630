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
from kokubus_edge.atomic import write_atomically

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RTC = Path("/sys/class/rtc/rtc0")
_TIME_ERROR = 5
_TIMEX_BYTES = 512
HOLDOVER_MS = 7 * 86_400_000
"""A quartz of 100 ppm is a minute off after seven days."""
_STEP_MS = 60_000


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
    battery: Callable[[], bool] = _RTC.exists


@dataclass(frozen=True, slots=True)
class _Trusted:
    at: Instant
    mono: int
    boot: str


class DeviceClock:
    """Wall and boot time, and the last instant that could be trusted, kept in ``path``.

    ``always`` overrides the verdict: a simulation says what it wants believed.
    """

    def __init__(
        self, path: Path, machine: Machine | None = None, *, always: Clock | None = None
    ) -> None:
        self._path = path
        self._machine = machine or Machine()
        self._always = always
        self._last = _read(path)
        self.boot = self._machine.boot()

    def now(self) -> Instant:
        """Wall time, however far it can be believed."""
        return self._machine.wall()

    def mono(self) -> int:
        """Time since boot; never steps, goes on through a suspend."""
        return self._machine.mono()

    def trust(self) -> Clock:
        """``synced`` by the kernel's word; ``holdover`` while the last trusted time carries.

        It carries for seven days: within its boot unless somebody set the clock, and into
        another boot only where a battery kept it going. Time before the last trusted
        instant is never believed.
        """
        if self._always is not None:
            return self._always
        now, mono = self.now(), self.mono()
        last = self._last
        if self._machine.synced():
            if last is None or now > last.at:
                self._last = _Trusted(now, mono, self.boot)
            return Clock.SYNCED
        return Clock.HOLDOVER if last and self._carries(last, now, mono) else Clock.UNTRUSTED

    def remember(self) -> None:
        """Keep the last trusted time. Blocks on the disk; OSError if that refuses."""
        self.trust()
        if self._last is not None:
            write_atomically(self._path, json.dumps(asdict(self._last)).encode())

    def _carries(self, last: _Trusted, now: Instant, mono: int) -> bool:
        if not last.at <= now < last.at + HOLDOVER_MS:
            return False
        if last.boot != self.boot:
            return self._machine.battery()
        return abs((now - last.at) - (mono - last.mono)) < _STEP_MS


def _read(path: Path) -> _Trusted | None:
    """None also for a damaged file: less is believed then, never more."""
    try:
        raw = json.loads(path.read_bytes())
        return _Trusted(int(raw["at"]), int(raw["mono"]), str(raw["boot"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
