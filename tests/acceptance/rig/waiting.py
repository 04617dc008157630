"""Waiting for a condition: patience bounds a test that fails, it measures nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 120.0
_STALL_S = 1.0
T = TypeVar("T")


def wait_until(probe: Callable[[], T], what: str) -> T:
    """What ``probe`` returns once that is true; AssertionError naming ``what`` if it never is.

    A machine that stands still uses up no patience: what is waited for stands still with us.
    """
    waited, looked = 0.0, time.monotonic()
    while not (found := probe()):
        assert waited < PATIENCE_S, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(0.02)
        now = time.monotonic()
        waited, looked = waited + min(now - looked, _STALL_S), now
    return found
