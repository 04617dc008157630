"""Asks the hub what time it is while nobody else keeps this device's clock right."""

from __future__ import annotations

from secrets import token_hex

from kokubus.messages import Clock, TimeWanted

EVERY_MS = {Clock.UNTRUSTED: 10_000, Clock.HOLDOVER: 3_600_000}
_NONCE_BYTES = 16


class TimeAsking:
    """One question at a time; an answer counts for the question it names, once."""

    def __init__(self) -> None:
        self._nonce = ""
        self._asked: int | None = None

    def due(self, trust: Clock, mono: int) -> bool:
        """Whether it is time to ask: soon where the time is unknown, now and then where it ages."""
        pause = EVERY_MS.get(trust)
        return pause is not None and (self._asked is None or mono - self._asked >= pause)

    def ask(self, mono: int) -> TimeWanted:
        """A question with a fresh nonce; the one before is no longer waited for."""
        self._nonce, self._asked = token_hex(_NONCE_BYTES), mono
        return TimeWanted(nonce=self._nonce)

    def answered(self, nonce: str) -> int | None:
        """The uptime at which this was asked; None if it was not, or was answered before."""
        if not self._nonce or nonce != self._nonce:
            return None
        self._nonce = ""
        return self._asked
