"""Hands out the numbers of facts without waiting for the disk, and never one twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Condition
from uuid import uuid4

_PATIENCE_S = 0.1
"""Half a default deadline is left after it; it is spent at most once per stalled card."""


class Numbers:
    """Numbers the disk knows to be taken, granted in blocks by the spool's thread.

    While there are none (a stalled, full or missing disk) they come from a passing epoch that
    exists in memory only: after a crash it is never used again, so neither are its numbers.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._changed = Condition()
        self._own = ""
        self._free: deque[tuple[int, int]] = deque()
        self._starved = False
        self._passing = ""
        self._last: dict[str, int] = {}

    def grant(self, epoch: str, first: int, last: int) -> None:
        """``first..last`` of ``epoch`` are reserved on disk; another epoch ends the one before."""
        with self._changed:
            if epoch != self._own:
                self._free.clear()
            self._own, self._starved = epoch, False
            self._free.append((first, last))
            self._changed.notify_all()

    def take(self) -> tuple[str, int]:
        """(epoch, number), waiting a moment only if the disk has fallen behind."""
        with self._changed:
            if not self._free and not self._starved:
                self._changed.wait_for(lambda: self._free, self._patience_s)
            if self._free:
                return self._own, self._pop()
            self._starved = True
            self._passing = self._passing or str(uuid4())
            return self._passing, self._count_up(self._passing)

    def take_in(self, epoch: str) -> int | None:
        """A number of this epoch, or None if there is none to be had now."""
        with self._changed:
            if epoch == self._own:
                return self._pop() if self._free else None
            return self._count_up(epoch) if epoch in self._last else None

    def put_back(self, epoch: str, numbers: Sequence[int]) -> None:
        """Numbers that were taken and after all not used."""
        with self._changed:
            if epoch == self._own:
                self._free.extendleft((number, number) for number in reversed(numbers))

    def withdraw(self) -> tuple[tuple[int, int], ...]:
        """Take back what was granted and not used; later numbers are of the passing epoch."""
        with self._changed:
            unused = tuple(self._free)
            self._free.clear()
            self._starved = True
            return unused

    @property
    def left(self) -> int:
        """How many granted numbers are unused."""
        with self._changed:
            return sum(last - first + 1 for first, last in self._free)

    def _pop(self) -> int:
        first, last = self._free.popleft()
        if first < last:
            self._free.appendleft((first + 1, last))
        return first

    def _count_up(self, epoch: str) -> int:
        self._last[epoch] = self._last.get(epoch, 0) + 1
        return self._last[epoch]
