"""Waiting for a condition: patience bounds a test that fails, it measures nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60.0
T = TypeVar("T")


def wait_until(probe: Callable[[], T], what: str) -> T:
    """What ``probe`` returns once that is true; AssertionError naming ``what`` if it never is."""
    end = time.monotonic() + PATIENCE_S
    while not (found := probe()):
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(0.02)
    return found
