"""A Linux input device, taken for ourselves alone: /dev/input, linux/input.h.

The package evdev does more and is published as source only (see docs/decisions), so these two
calls are made here: EVIOCGRAB, and reading `struct input_event`.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

EVIOCGRAB = 0x40044590
"""_IOW('E', 0x90, int)"""
EVENT = struct.Struct("llHHi")
"""Seconds and microseconds, type, code, value; in the machine's own sizes."""
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
LOST = (-1, 0)
"""Stands among key events where the kernel had no room for some: it keeps the last 64 or so."""
_MANY = 64


def grab(fd: int) -> None:
    """Nobody else hears the device from now on; OSError EBUSY if somebody else has it."""
    fcntl.ioctl(fd, EVIOCGRAB, 1)


class InputDevice:
    """An opened device; `read` and everything after it raise OSError once it is unplugged."""

    def __init__(self, path: Path, take: Callable[[int], None] = grab) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            take(self._fd)
        except BaseException:
            os.close(self._fd)
            raise

    def read(self) -> list[tuple[int, int]]:
        """(key code, value) of each key event since the last call, and `LOST` where some are."""
        found: list[tuple[int, int]] = []
        while data := self._read():
            for _, _, kind, code, value in EVENT.iter_unpack(data):
                found += [(code, value)] if kind == EV_KEY else []
                found += [LOST] if (kind, code) == (EV_SYN, SYN_DROPPED) else []
        return found

    def close(self) -> None:
        """Let it go, for others to hear."""
        os.close(self._fd)

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, EVENT.size * _MANY)
        except BlockingIOError:
            return b""
