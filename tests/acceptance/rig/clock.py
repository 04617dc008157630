"""A device's clocks as a test wants them, read when its agent starts.

``lab-clock.json`` in its data folder says ``wall_ms`` and ``boot``, whose uptime begins at a
second; nobody has synchronised it until a file ``ntp`` lies beside: then the wall clock is right
and the kernel says so. Without the first file these are the machine's own clocks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kokubus.messages import Instant
from kokubus_edge.clock import DeviceClock, Machine, boot_ms, wall_ms
from kokubus_edge.rtc import Rtc, RtcState


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


def _none(last: Instant | None) -> Rtc:
    del last
    return Rtc(RtcState.ABSENT, "there is none")


def lab_clock(path: Path, **how: Any) -> DeviceClock:
    """The agent's clock: a real one on clocks of the lab, if the folder says so."""
    file = path.with_name("lab-clock.json")
    if not file.exists():
        return DeviceClock(path, **how)
    lab = _Lab(path.parent, json.loads(file.read_text("utf-8")))
    return DeviceClock(path, lab.machine(), **(how | {"always": None}))
