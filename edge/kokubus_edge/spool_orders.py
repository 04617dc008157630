"""What the spool's thread is told and tells, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from kokubus.messages import Instant
from kokubus.ranges import Ranges
from kokubus_edge.clock import Timepiece
from kokubus_edge.spool_flights import Letter
from kokubus_edge.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Kept:
    """A fact to keep; ``sent`` if the link has just taken it."""

    letter: Letter
    sent: bool


@dataclass(frozen=True, slots=True)
class Received:
    """The hub's receipt."""

    epoch: str
    pairs: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Linked:
    """The link came up or went down."""

    up: bool


@dataclass(frozen=True, slots=True)
class Executing:
    """A command that is to be remembered before it is executed."""

    command: str
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class CommandKept:
    """The command's id is on disk; not ``fresh`` if it had been there before."""

    command: str
    fresh: bool


Order: TypeAlias = Kept | Received | Linked | Executing
Tell: TypeAlias = Callable[[Trouble | CommandKept], None]
Send: TypeAlias = Callable[[str, bytes], bool]
Declare: TypeAlias = Callable[[str, int, Sequence[tuple[int, int]], str], Letter]
"""(epoch, its own number, lost numbers, kind lost) -> the `Dropped` that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bounds in facts: on disk, not yet on disk, sent ahead of receipts, numbers a block.

    How much is sent ahead lies between ``least`` and ``window``: see `kokubus_edge.spool_pace`.
    """

    limit: int = 1_000_000
    memory: int = 20_000
    window: int = 200
    least: int = 32
    block: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a spool is made of; ``send(topic, payload)`` may refuse."""

    path: Path
    device: str
    clock: Timepiece
    send: Send
    tell: Tell
    declare: Declare
    sizes: Sizes


class Thrown:
    """Numbers of facts that memory could not hold; any thread may add."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers: dict[tuple[str, str], Ranges] = {}

    def add(self, letter: Letter) -> None:
        """This fact is lost."""
        with self._lock:
            self._numbers.setdefault((letter.epoch, letter.kind), Ranges()).add(letter.seq)

    def claim(self, declare: Callable[[str, str, Ranges], bool]) -> None:
        """Hand (epoch, kind, numbers) to ``declare`` and forget those it says it declared."""
        with self._lock:
            pending = list(self._numbers.items())
            self._numbers = {key: lost for key, lost in pending if not declare(*key, lost)}

    def __bool__(self) -> bool:
        return bool(self._numbers)
