"""A device's clocks as a test wants them, read when its agent starts.

``lab-clock.json`` in its data folder says ``wall_ms`` and ``boot``, whose uptime begins at a
second; nobody has synchronised it until a file ``ntp`` lies beside: then the wall clock is right
and the kernel says so. Without the first file these are the machine's own clocks.

``lab-hours.json`` instead says how much later than ours the device's time begins (``began_ms``)
and what has gone by in a moment since then (``passed_ms``), for wall clock and uptime alike.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kokubus.messages import Instant
from kokubus_edge.clock import DeviceClock, Machine, boot_ms, wall_ms
from kokubus_edge.rtc import Rtc, RtcState

KEEPALIVE = "KOKUBUS_LAB_KEEPALIVE_S"
"""The environment's word for how often an agent gives a sign of life, in whole seconds."""


class _Lab:
    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self._ntp = folder / "ntp"
        self._boot = str(told["boot"])
        self._began = boot_ms() - 1_000
        self._off = int(told["wall_ms"]) - wall_ms()

    def machine(self) -> Machine:
        return Machine(
            wall=lambda: wall_ms() + (0 if self._ntp.exists() else self._off),
            mono=lambda: boot_ms() - self._began,
            boot=lambda: self._boot,
            synced=self._ntp.exists,
            rtc=_none,
        )


class Hours:
    """Time that a test lets pass in a moment; kept in its file, so that it outlives restarts."""

    path: Path | None = None
    began_ms = passed_ms = 0

    @classmethod
    def machine(cls, file: Path) -> Machine:
        """The machine's own clocks, moved by what the file says and by what passes."""
        kept = json.loads(file.read_text("utf-8"))
        cls.path, cls.began_ms, cls.passed_ms = file, kept["began_ms"], kept["passed_ms"]
        return Machine(
            wall=lambda: wall_ms() - cls.began_ms + cls.passed_ms,
            mono=lambda: boot_ms() + cls.passed_ms,
        )

    @classmethod
    def let_pass(cls, hours: float) -> None:
        """Hours go by; they are on disk before anybody sees them."""
        assert cls.path is not None, "write lab-hours.json before the agent starts"
        passed = cls.passed_ms + round(hours * 3_600_000)
        cls.path.write_text(json.dumps({"began_ms": cls.began_ms, "passed_ms": passed}), "utf-8")
        cls.passed_ms = passed


def _none(last: Instant | None) -> Rtc:
    del last
    return Rtc(RtcState.ABSENT, "there is none")


def lab_clock(path: Path, **how: Any) -> DeviceClock:
    """The agent's clock: a real one on clocks of the lab, if the folder says so."""
    hours, file = path.with_name("lab-hours.json"), path.with_name("lab-clock.json")
    if hours.exists():
        return DeviceClock(path, Hours.machine(hours), **how)
    if not file.exists():
        return DeviceClock(path, **how)
    lab = _Lab(path.parent, json.loads(file.read_text("utf-8")))
    return DeviceClock(path, lab.machine(), **(how | {"always": None}))
