"""What is wrong with a file, all of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kokubus.errors import KokubusError

_SHOWN = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at ``line`` (0: the whole file) and what to do about it."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


class ImportFileError(KokubusError):
    """Files cannot be imported and have changed nothing; ``problems`` by file, in order."""

    def __init__(self, problems: Mapping[str, Sequence[Problem]]) -> None:
        self.problems = {name: tuple(sorted(found)) for name, found in problems.items() if found}
        lines = [f"{name}: {one}" for name, found in self.problems.items() for one in found]
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        super().__init__("\n".join([*lines[:_SHOWN], *more, "nothing was imported"]))


@dataclass(slots=True)
class Result:
    """What an import did; ``notes`` are for somebody to read, not errors."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    cancelled: int = 0
    notes: list[str] = field(default_factory=list)
