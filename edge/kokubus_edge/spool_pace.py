"""How much of a backlog may be under way without making a live tap wait for it."""

from __future__ import annotations

from collections import deque

_ADDED_MS = 20
_MINUTE_MS = 60_000
_FILTER = 4


class Pace:
    """A window of facts that grows while receipts come promptly and shrinks when they do not.

    After LEDBAT (RFC 6817): how long facts wait for their receipts, less the shortest wait of
    the last two minutes, is what the backlog itself adds to everybody's wait. It is kept at
    about 20 ms, on a slow uplink as much as at a busy hub, so that whoever taps is hardly kept
    waiting. The least of four receipts counts: one that was late by itself says nothing.
    Times are monotonic milliseconds.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least = float(min(least, most))
        self._most = float(most)
        self._window = self._least
        self._shortest: list[int] = []
        self._latest: deque[int] = deque(maxlen=_FILTER)
        self._since = 0

    @property
    def window(self) -> int:
        """How many may be under way."""
        return int(self._window)

    def landed(self, count: int, waited_ms: int, now: int) -> None:
        """``count`` facts were receipted, the longest of them after ``waited_ms``."""
        self._remember(waited_ms, now)
        self._latest.append(waited_ms)
        added = min(self._latest) - min(self._shortest)
        step = (_ADDED_MS - added) / _ADDED_MS * count / self._window
        step = max(step, -self._window / 2)
        self._window = min(max(self._window + step, self._least), self._most)

    def _remember(self, waited_ms: int, now: int) -> None:
        """The shortest wait of this minute and of the one before: routes and hubs change."""
        if not self._shortest or now - self._since > _MINUTE_MS:
            self._shortest = [*self._shortest[-1:], waited_ms]
            self._since = now
        self._shortest[-1] = min(self._shortest[-1], waited_ms)
