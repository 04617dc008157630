"""The lock relay of one door, which lets go by itself."""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import Protocol

from kokubus.errors import KokubusError

_log = logging.getLogger(__name__)
HOLD_LEASE_S = 30.0
RETRY_S = 1.0


class Relay(Protocol):
    """`gpiozero.OutputDevice`, as far as a bolt needs it."""

    def on(self) -> None: ...

    def off(self) -> None: ...

    def close(self) -> None: ...


class Bolt:
    """Draws a relay for a time; a thread of its own lets it go.

    The thread lives as long as the bolt and is armed before the relay is energised, so neither
    a stalled agent loop or spool nor a machine out of threads can leave a door open. A bolt
    held back is no exception: `hold` must be renewed by `refresh` within `HOLD_LEASE_S`.
    Against the death of the whole process see `kokubus_edge.hardware.release`.
    """

    def __init__(self, relay: Relay, name: str, lease_s: float = HOLD_LEASE_S) -> None:
        self._relay = relay
        self._name = name
        self._lease_s = lease_s
        self._changed = threading.Condition()
        self._pulse_until = 0.0
        self._lease_until = 0.0
        self._held = False
        self._drawn = False
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name=f"bolt {name}", daemon=True)
        self._thread.start()

    @property
    def drawn(self) -> bool:
        """Whether the relay is energised."""
        return self._drawn

    def pulse(self, duration_ms: int) -> None:
        """Draw the bolt for this long; never shortens what was begun.

        Raises `KokubusError` if nothing would let it go again.
        """
        with self._changed:
            now = monotonic()
            self._pulse_until = max(self._pulse_until, now + duration_ms / 1000)
            self._follow_now(now)

    def hold(self) -> None:
        """Hold the bolt back until `lock`, as long as somebody calls `refresh`."""
        with self._changed:
            now = monotonic()
            self._held, self._lease_until = True, now + self._lease_s
            self._follow_now(now)

    def refresh(self) -> None:
        """The agent's loop is alive: a bolt held back stays so for another lease."""
        with self._changed:
            now = monotonic()
            if self._held:
                self._lease_until = now + self._lease_s
                self._follow_now(now)

    def lock(self) -> None:
        """Let the bolt go at once, whatever drew it."""
        with self._changed:
            self._held, self._pulse_until = False, 0.0
            self._follow_now(monotonic())

    def close(self) -> None:
        """Let the bolt go, then give the relay's pin back."""
        with self._changed:
            self._closed, self._held, self._pulse_until = True, False, 0.0
            self._changed.notify()
            self._relay.off()
            self._drawn = False
        self._thread.join()
        self._relay.close()

    def _follow_now(self, now: float) -> None:
        """Act in the caller's thread; the bolt's own takes over from here."""
        if self._closed or not self._thread.is_alive():
            raise KokubusError(f"bolt of {self._name}: its off-timer has ended; restart the agent")
        self._changed.notify()
        self._follow(now)

    def _follow(self, now: float) -> float | None:
        """Make the relay what it should be; seconds until that changes, None if it does not."""
        end = max(self._pulse_until, self._lease_until if self._held else 0.0)
        left = end - now
        if (left > 0) != self._drawn:
            if left > 0:
                self._relay.on()
            else:
                self._relay.off()
            self._drawn = left > 0
        return left if left > 0 else None

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(self._follow_surely())

    def _follow_surely(self) -> float | None:
        try:
            return self._follow(monotonic())
        except Exception:  # whatever a pin driver raises, this thread tries again
            _log.exception("bolt of %s: its relay does not obey; check the wiring", self._name)
            return RETRY_S
