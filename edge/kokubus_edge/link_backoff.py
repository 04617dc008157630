"""How long to wait before the next attempt to connect."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

_RANDOM = SystemRandom()


class Backoff:
    """Doubles from ``shortest_s`` to ``longest_s``; each pause is half to all of it.

    The jitter keeps fifty doors from knocking at once after the broker was away.
    """

    def __init__(
        self,
        shortest_s: float = 1.0,
        longest_s: float = 60.0,
        noise: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._noise = noise
        self._attempts = 0

    def next_s(self) -> float:
        """Seconds to wait now."""
        whole = min(self._longest_s, self._shortest_s * 2.0 ** min(self._attempts, 30))
        self._attempts += 1
        return whole * (1 + self._noise()) / 2

    def reset(self) -> None:
        """The last connection held; begin again with the shortest pause."""
        self._attempts = 0
