"""Whether a role of the hub is alive: the age of a file it touches."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from kokubus_hub.settings import Settings

FRESH_S = 30.0


def beat(settings: Settings, role: str) -> None:
    """Say that ``role`` is at work."""
    path = _path(settings, role)
    with suppress(OSError):  # a full disk must not end the role: the file's age tells of it
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def alive(settings: Settings, role: str) -> bool:
    """Whether ``role`` has said so within the last half minute."""
    path = _path(settings, role)
    return path.exists() and time.time() - path.stat().st_mtime < FRESH_S


def _path(settings: Settings, role: str) -> Path:
    return settings.data_dir / "run" / f"{role}.alive"
