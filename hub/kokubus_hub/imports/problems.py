"""What is wrong with a file, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
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
    """A file cannot be imported and has changed nothing; ``problems`` says why, in order."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.name = name
        self.problems = tuple(sorted(problems))
        lines = [f"{name}: {problem}" for problem in self.problems[:_SHOWN]]
        if more := len(self.problems) - len(lines):
            lines.append(f"{name}: and {more} more")
        super().__init__("\n".join([*lines, f"{name}: nothing was imported"]))


@dataclass(slots=True)
class Result:
    """What an import did; ``notes`` are for somebody to read, not errors."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    cancelled: int = 0
    notes: list[str] = field(default_factory=list)
