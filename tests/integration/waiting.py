"""Waiting for a condition, and free ports: patience bounds a test that fails, no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 90.0
T = TypeVar("T")


def wait_until(probe: Callable[[], T], what: str, *, every_s: float = 0.05) -> T:
    """What ``probe`` returns once that is true; AssertionError naming ``what`` if it never is.

    A machine that stands still uses up no patience.
    """
    waited, looked = 0.0, time.monotonic()
    while not (found := probe()):
        assert waited < PATIENCE_S, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(every_s)
        now = time.monotonic()
        waited, looked = waited + min(now - looked, every_s + 1.0), now
    return found
