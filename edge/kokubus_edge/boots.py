"""The boots in which the agent came to work: what a commissioning counts power cycles by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import structlog

from kokubus_edge.atomic import write_atomically
from kokubus_edge.clock import Timepiece

log = structlog.get_logger(__name__)

NAME = "boots.json"
KEPT = 20


def note(folder: Path, clock: Timepiece) -> None:
    """The agent is at work in this boot; a disk that refuses is told of elsewhere."""
    seen = read(folder)
    if any(one["boot"] == clock.boot for one in seen):
        return
    fresh = {"boot": clock.boot, "at": clock.now(), "ready_ms": clock.mono()}
    try:
        write_atomically(folder / NAME, json.dumps([*seen, fresh][-KEPT:]).encode())
    except OSError as error:
        log.warning("boot_not_noted", why=str(error))


def read(folder: Path) -> list[dict[str, Any]]:
    """``boot``, ``at`` and ``ready_ms`` (since power came) of the last boots, oldest first."""
    try:
        return [one for one in json.loads((folder / NAME).read_bytes()) if "boot" in one]
    except (OSError, ValueError, TypeError):
        return []
