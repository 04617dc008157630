"""Waiting for a condition, and free ports: patience bounds a test that fails, no more."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
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


def free_ports(number: int) -> list[int]:
    """Ports of the loopback nobody listens on; held together, so that they differ."""
    with ExitStack() as held:
        made = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
        for one in made:
            held.enter_context(closing(one))
        return [int(one.getsockname()[1]) for one in made]
