"""Wires that are looked at: contacts, buttons, PIRs and light beams.

A level counts once it has stood for a moment, so that a bouncing contact is one change. Edges
make it quick; looking ten times a second makes it sure, whatever edges a driver loses: any
level that stands for 400 ms is seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Any

import structlog

SETTLE_MS = 50
LOOK_MS = 100
BOUNCE_S = 0.005
"""Left to the driver: less than anybody's hand, more than a relay's spark."""
log = structlog.get_logger(__name__)


class Settled:
    """What a wire's level is, once it has stood for ``settle_ms``; monotonic ms throughout."""

    def __init__(self, settle_ms: int = SETTLE_MS) -> None:
        self._settle_ms = settle_ms
        self._level: bool | None = None
        self._since = 0
        self._reported: bool | None = None

    def begin(self, level: bool, now: int) -> None:
        """How the wire was found."""
        self._level = self._reported = level
        self._since = now

    def saw(self, level: bool, now: int) -> None:
        """An edge, or a look."""
        if level != self._level:
            self._level, self._since = level, now

    def news(self, level: bool, now: int) -> bool | None:
        """Its level now, if it has settled and is another than was reported last; else None."""
        self.saw(level, now)
        if level == self._reported or now < self._since + self._settle_ms:
            return None
        self._reported = level
        return level

    @property
    def due(self) -> int | None:
        """When it will have settled; None if nothing changes."""
        return None if self._level == self._reported else self._since + self._settle_ms


class Input:
    """One wire. ``report`` is told each change once: True is a button pressed, a contact closed."""

    def __init__(
        self, device: Any, report: Callable[[bool], None], settle_ms: int = SETTLE_MS
    ) -> None:
        self._device = device
        self._report = report
        self._settled = Settled(settle_ms)
        self._lock = threading.Lock()
        self._latched = False
        self._wake: Callable[[], None] = _nobody

    def start(self, wake: Callable[[], None]) -> None:
        """Report how it is found; from now on edges ``wake`` whoever looks."""
        self._wake = wake
        self._device.when_activated = lambda: self._edge(active=True)
        self._device.when_deactivated = lambda: self._edge(active=False)
        with self._lock:
            level = bool(self._device.is_active)
            self._settled.begin(level, now_ms())
            self._latched |= level
            self._report(level)

    def look(self) -> int | None:
        """Report what has settled; when to look again, at the latest."""
        with self._lock:
            level = bool(self._device.is_active)
            self._latched |= level
            news = self._settled.news(level, now_ms())
            if news is not None:
                self._report(news)
            return self._settled.due

    def was_active(self) -> bool:
        """Whether it was active at any time since this was last asked."""
        with self._lock:
            was, self._latched = self._latched, bool(self._device.is_active)
            return was or self._latched

    def close(self) -> None:
        self._device.close()

    def _edge(self, *, active: bool) -> None:
        with self._lock:
            self._latched |= active
            self._settled.saw(active, now_ms())
        self._wake()


class Watch:
    """Looks at inputs ten times a second, and when an edge has settled, in a thread of its own."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs
        self._changed = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="inputs", daemon=True)

    def start(self) -> None:
        """Report how every input is found, then each change."""
        for each in self._inputs:
            each.start(self._changed.set)
        self._thread.start()

    def close(self) -> None:
        """End the thread, if it was started."""
        self._closing = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._changed.wait(self._look() / 1000)
            self._changed.clear()

    def _look(self) -> int:
        """Look at all; how many ms to wait. An input that fails hides no other."""
        now, due = now_ms(), LOOK_MS
        for each in self._inputs:
            try:
                at = each.look()
            except Exception:
                log.exception("input_failed")
                continue
            due = due if at is None else min(due, max(1, at - now))
        return due


def now_ms() -> int:
    """Monotonic milliseconds."""
    return monotonic_ns() // 1_000_000


def _nobody() -> None:
    """Nobody looks yet."""
