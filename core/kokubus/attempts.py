"""How often a keypad may be wrong before it listens to nobody for a while.

A PIN is a secret of few digits, so guessing must be slow: after `ALLOWED` refusals within
`WINDOW_MS` the keypad is locked out, for twice as long each time until a quiet day. A right
number in between forgives nothing, or whoever holds one could guess on. Badges at the same
door go on working. Instants are monotonic milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ALLOWED = 5
WINDOW_MS = 10 * 60_000
FIRST_MS = 60_000
LONGEST_MS = 3_600_000
QUIET_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Attempts:
    """Instants of the last refusals; ``until`` a lockout ends (None: none), ``locks`` so far."""

    refused: tuple[int, ...] = ()
    until: int | None = None
    locks: int = 0
    locked_at: int = 0


def refused(attempts: Attempts, now: int) -> Attempts:
    """After one more wrong number; ``until`` is set if it was one too many."""
    if attempts.until is not None:
        return attempts
    recent = (*(at for at in attempts.refused if now - at < WINDOW_MS), now)
    if len(recent) < ALLOWED:
        return replace(attempts, refused=recent)
    locks = 1 if now - attempts.locked_at >= QUIET_MS else attempts.locks + 1
    lasts = min(FIRST_MS << min(locks - 1, 10), LONGEST_MS)
    return Attempts((), now + lasts, locks, now)


def ended(attempts: Attempts, now: int) -> bool:
    """Whether a lockout is over by now."""
    return attempts.until is not None and attempts.until <= now


def released(attempts: Attempts) -> Attempts:
    """The keypad listens again."""
    return replace(attempts, until=None)
