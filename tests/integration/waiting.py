"""Waiting for a condition, and free ports: patience bounds a test that fails, no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 90.0
T = TypeVar("T")


def wait_until(probe: Callable[[], T], what: str, *, every_s: float = 0.05) -> T:
    """What ``probe`` returns once that is true; AssertionError naming ``what`` if it never is."""
    end = time.monotonic() + PATIENCE_S
    while not (found := probe()):
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(every_s)
    return found
