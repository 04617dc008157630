"""Which facts are on their way to the hub, and when to send one again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kokubus.ranges import Pairs

_FIRST_MS, _LONGEST_MS = 5_000, 60_000
_STUBBORN = 4
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A fact as it is spooled: its number, its kind and its encoded payload."""

    epoch: str
    seq: int
    kind: str
    payload: bytes

    @property
    def key(self) -> tuple[str, int]:
        """(epoch, seq)"""
        return self.epoch, self.seq


@dataclass(slots=True)
class Flight:
    """A letter that was sent ``tries`` times, first at ``since``, and waits until ``due``."""

    letter: Letter
    tries: int
    due: int
    since: int


class Flights:
    """Facts sent without a receipt; times are monotonic milliseconds.

    A fact is due again after 5 s, then 10, 20, 40 and every 60. ``window`` bounds how many
    are sent ahead of their receipts: a backlog drains at the pace of the hub and no live tap
    waits behind more. What the hub has not receipted after four tries no longer fills it.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self._flights: dict[tuple[str, int], Flight] = {}
        self._next_due: int | None = None

    def add(self, letter: Letter, now: int) -> None:
        """The letter was just sent for the first time; beyond 1,000 it is left to the backlog."""
        if len(self._flights) < _MOST:
            self._flights[letter.key] = Flight(letter, 1, now + _FIRST_MS, now)
            self._note(now + _FIRST_MS)

    def again(self, flight: Flight, now: int) -> None:
        """The flight was just sent again."""
        flight.due = now + min(_FIRST_MS << flight.tries, _LONGEST_MS)
        flight.tries += 1
        self._note(flight.due)

    def postpone(self, flight: Flight, until: int) -> None:
        """The link did not take it; that was no try."""
        flight.due = until
        self._note(until)

    def due(self, now: int) -> list[Flight]:
        """What to send again, oldest first; empty at the cost of one comparison."""
        if self._next_due is None or now < self._next_due:
            return []
        late = [flight for flight in self._flights.values() if flight.due <= now]
        rest = (flight.due for flight in self._flights.values() if flight.due > now)
        self._next_due = min(rest, default=None)
        return sorted(late, key=lambda flight: flight.letter.seq)

    def land(self, epoch: str, pairs: Pairs) -> list[Flight]:
        """These numbers are receipted; those that were under way."""
        landed = []
        for first, last in pairs:
            if last - first < len(self._flights):
                keys: Iterator[tuple[str, int]] = ((epoch, n) for n in range(first, last + 1))
            else:
                keys = (k for k in list(self._flights) if k[0] == epoch and first <= k[1] <= last)
            landed += [flight for key in keys if (flight := self._flights.pop(key, None))]
        return landed

    def hasten(self, now: int) -> None:
        """The hub is back: what waits longer than the first 5 s is due."""
        for flight in self._flights.values():
            if flight.tries > 1:
                flight.due = now
                self._note(now)

    def clear(self) -> None:
        """The connection is gone and with it all that was under way."""
        self._flights.clear()
        self._next_due = None

    @property
    def room(self) -> int:
        """How many more may be sent from the backlog."""
        if len(self._flights) < self.window:
            return self.window - len(self._flights)
        patient = sum(flight.tries <= _STUBBORN for flight in self._flights.values())
        return max(0, min(self.window - patient, _MOST - len(self._flights)))

    @property
    def next_due(self) -> int | None:
        """When to look again; None if nothing is under way."""
        return self._next_due

    def letters(self) -> list[Letter]:
        """All that is under way."""
        return [flight.letter for flight in self._flights.values()]

    def _note(self, due: int) -> None:
        self._next_due = due if self._next_due is None else min(self._next_due, due)

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._flights

    def __len__(self) -> int:
        return len(self._flights)
