"""What the hub may order a device to do: `kokubus_edge.orders` decides whether it does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from threading import Timer
from typing import Any

from kokubus_edge import doctor, updating
from kokubus_edge.inbox import Stop
from kokubus_edge.log_lines import RECENT, masked
from kokubus_edge.orders import Deed
from kokubus_edge.settings import Settings

LINES, LINES_MOST = 200, 2_000
"""A report holds no more, and a small machine's memory is not for a whole journal."""
RESTART_S = 1.0
_JOURNAL = ("journalctl", "--unit=kokubus-edge", "--output=cat", "--no-pager")


def deeds(
    settings: Settings, status: Callable[[], dict[str, Any]], stop: Callable[[Stop], None]
) -> Mapping[str, Deed]:
    """By the order's name."""
    return {
        "doctor": partial(_doctor, settings, status),
        "logs": _logs,
        "restart": partial(_restart, stop),
        "update": partial(updating.ordered, settings.data, settings.wheels),
    }


def _doctor(
    settings: Settings, status: Callable[[], dict[str, Any]], _order: str, _argument: str
) -> tuple[str, str]:
    findings = doctor.examine(settings, status())
    return "done", masked(doctor.told(findings))


def _logs(_order: str, argument: str) -> tuple[str, str]:
    """The journal's last lines, or where there is none those since the agent's start."""
    count = min(int(argument) if argument.isdecimal() else LINES, LINES_MOST)
    lines = _journal(count) or RECENT.lines()
    return "done", masked("\n".join(lines[-count:]))


def _journal(count: int) -> list[str]:
    try:
        said = subprocess.run(
            [*_JOURNAL, f"--lines={count}"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return said.stdout.splitlines()


def _restart(stop: Callable[[Stop], None], _order: str, _argument: str) -> tuple[str, str]:
    """A moment later, so that the answer leaves first; if it does not, the spool has it."""
    later = Timer(RESTART_S, stop, [Stop()])
    later.daemon = True
    later.start()
    return "done", "the agent restarts; it is back within half a minute"
