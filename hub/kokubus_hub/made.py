"""What was made of a database row, made again only when the row is another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from kokubus_hub.rules import Row

T = TypeVar("T")


class Made(Generic[T]):
    """Values by row id, each with the row it was made of; forgotten beyond ``limit`` of them.

    Only for values that depend on nothing but the row.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[int, tuple[Row, T]] = {}

    def of(self, rows: Sequence[Row], make: Callable[[Sequence[Row]], Iterable[T]]) -> list[T]:
        """A value for each row; ``make`` is asked for those that are new or changed."""
        if len(self._known) > self._limit:
            self._known.clear()
        known = self._known
        new = [row for row in rows if row.id not in known or known[row.id][0] != row]
        known.update((row.id, (row, value)) for row, value in zip(new, make(new), strict=True))
        return [known[row.id][1] for row in rows]
