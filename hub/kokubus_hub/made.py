"""What was made of a database row, made again only when the row is another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from kokubus_hub.rules import Row

T = TypeVar("T")


class Made(Generic[T]):
    """Values by row id, each with the row it was made of; forgotten beyond ``limit`` of them.

    Only for values that depend on nothing but the row. Rows are compared as plain tuples, since
    SQLAlchemy compares its own in Python.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[int, tuple[tuple[Any, ...], T]] = {}

    def of(self, rows: Sequence[Row], make: Callable[[Sequence[Row]], Iterable[T]]) -> list[T]:
        """A value for each row; ``make`` is asked for those that are new or changed."""
        if len(self._known) > self._limit:
            self._known.clear()
        known, keys = self._known, [(row.id, tuple(row)) for row in rows]
        new = [
            row
            for row, (key, values) in zip(rows, keys, strict=True)
            if key not in known or known[key][0] != values
        ]
        for row, value in zip(new, make(new), strict=True):
            known[row.id] = tuple(row), value
        return [known[key][1] for key, _ in keys]
