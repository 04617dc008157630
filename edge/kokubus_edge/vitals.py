"""Whether the agent gets on: what feeds systemd's watchdog, and what a doctor asks first."""

from __future__ import annotations

from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

SPOOL_MS = 60_000
READER_MS = 30_000
"""A card may block one write for seconds, a bus for less; nothing healthy blocks for so long."""


class Vitals:
    """Feeds the watchdog for as long as every part makes progress.

    A part is a name and a question: for how many milliseconds has it not come further?
    """

    def __init__(self, feed: Callable[[], None]) -> None:
        self._feed = feed
        self._parts: dict[str, tuple[Callable[[], int], int]] = {}
        self._stuck: list[str] = []

    def watch(self, name: str, standing_ms: Callable[[], int], limit_ms: int) -> None:
        """From now on this part must not stand still for longer than the limit."""
        self._parts[name] = standing_ms, limit_ms

    def stuck(self) -> list[str]:
        """The parts that have stood still for too long."""
        return [name for name, (standing, limit) in self._parts.items() if standing() > limit]

    def tick(self) -> None:
        """Called by the loop once a second, which shows that the loop gets on."""
        stuck = self.stuck()
        if stuck != self._stuck:
            log.error("stuck" if stuck else "unstuck", parts=stuck or self._stuck)
        self._stuck = stuck
        if not stuck:
            self._feed()
