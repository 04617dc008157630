"""Sets of numbers as sorted, disjoint, inclusive ranges: what was received, what is missing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Pairs = Iterable[tuple[int, int]]


class Ranges:
    """A set of whole numbers that is cheap while it is nearly contiguous.

    >>> received = Ranges([(1, 3)])
    >>> received.add(5)
    True
    >>> received.add(5)
    False
    >>> list(received), list(received.gaps())
    ([(1, 3), (5, 5)], [(4, 4)])
    """

    __slots__ = ("_first", "_last")

    def __init__(self, pairs: Pairs = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in pairs:
            self.add_range(first, last)

    def add(self, number: int) -> bool:
        """Add one number; False if it was there already."""
        if self._last and number == self._last[-1] + 1:
            self._last[-1] = number
            return True
        if number in self:
            return False
        self.add_range(number, number)
        return True

    def add_range(self, first: int, last: int) -> None:
        """Add ``first..last`` inclusive; ValueError if reversed."""
        if first > last:
            raise ValueError(f"range {first}..{last} runs backwards")
        low = bisect_right(self._last, first - 2)
        high = bisect_right(self._first, last + 1)
        if low < high:
            first = min(first, self._first[low])
            last = max(last, self._last[high - 1])
        self._first[low:high] = [first]
        self._last[low:high] = [last]

    def gaps(self) -> Iterator[tuple[int, int]]:
        """The holes between the first and the last number."""
        for last, first in zip(self._last, self._first[1:], strict=False):
            yield last + 1, first - 1

    @property
    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(self._last) - sum(self._first) + len(self._first)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._first, number) - 1
        return place >= 0 and number <= self._last[place]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._first, self._last, strict=True))

    def __len__(self) -> int:
        return len(self._first)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # a growing set has no hash

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"
