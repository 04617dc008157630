"""Judges one-time codes typed at the keypads of this device's doors.

What was used up is on disk before the door hears of it, so that a code opens once, whatever
happens to the power. Wrong codes lock a door's keypad out for a while that doubles each
time; they are counted on disk too, and a boot begins the while anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import structlog

from kokubus.happenings import CodeEntered, CodeJudged
from kokubus.hotp import door_secret, find
from kokubus.messages import CodeOutcome
from kokubus_edge.atomic import write_atomically
from kokubus_edge.clock import Timepiece
from kokubus_edge.trouble import Trouble

CODES = "codes.json"
FREE_TRIES = 4
"""Wrong codes in a row that cost nothing: people mishear digits on the phone."""
LOCKOUT_MS, LOCKOUT_LONGEST_MS = 15 * 60_000, 24 * 3_600_000
log = structlog.get_logger(__name__)
Tell: TypeAlias = Callable[[CodeJudged | Trouble], None]


@dataclass(frozen=True, slots=True)
class _Book:
    """One door's: the next counter that may be used, and wrong codes in a row."""

    counter: int = 0
    wrong: int = 0


class Codes:
    """The secrets and counters of a device's doors; ``disk`` has one worker.

    ``tell`` is called from there with what became of each code.
    """

    def __init__(
        self,
        path: Path,
        secrets: Mapping[str, bytes],
        *,
        clock: Timepiece,
        tell: Tell,
        disk: Executor,
    ) -> None:
        self._path = path
        self._secrets = secrets
        self._clock = clock
        self._tell = tell
        self._disk = disk
        self._books: dict[str, _Book] | None = None
        self._locked_until: dict[str, int] = {}

    @classmethod
    def of(
        cls,
        folder: Path,
        doors: Iterable[str],
        lookup_key: bytes,
        *,
        clock: Timepiece,
        tell: Tell,
        disk: Executor,
    ) -> Codes:
        """Those of these doors, with what ``folder`` remembers."""
        secrets = {door: door_secret(lookup_key, door) for door in doors}
        return cls(folder / CODES, secrets, clock=clock, tell=tell, disk=disk)

    def load(self) -> None:
        """Read what is on disk; waits for it. Damaged, it lets no code in: any may be used up."""
        try:
            self._books = _read(self._path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("codes_damaged", error=str(error)[:300])
            detail = "which one-time codes are used up cannot be read, so none opens; enrol anew"
            self._tell(Trouble("codes_damaged", active=True, detail=detail))
            return
        for door, book in self._books.items():
            self._lock_out(door, book)

    def take(self, entered: CodeEntered, code_from: int) -> None:
        """Judge a code; never waits. Counters below ``code_from`` (the policy's) are void."""
        self._disk.submit(self._take, entered, code_from)

    def _take(self, entered: CodeEntered, code_from: int) -> None:
        try:
            outcome, counter = self._judge(entered, code_from)
        except Exception:  # fails closed, and a future nobody asks would swallow it
            log.exception("code_not_judged", door=entered.door)
            outcome, counter = CodeOutcome.NOT_KEPT, None
        door, side = entered.door, entered.side
        self._tell(CodeJudged(door=door, side=side, outcome=outcome, counter=counter))

    def _judge(self, entered: CodeEntered, code_from: int) -> tuple[CodeOutcome, int | None]:
        door = entered.door
        if self._books is None or door not in self._secrets:
            return CodeOutcome.NOT_KEPT, None
        if self._clock.mono() < self._locked_until.get(door, 0):
            return CodeOutcome.LOCKED_OUT, None
        book = self._books.get(door, _Book())
        counter = find(self._secrets[door], entered.digits, max(book.counter, code_from))
        if counter is None:
            wrong = replace(book, wrong=book.wrong + 1)
            self._lock_out(door, wrong)  # before the disk is asked: it may refuse for ever
            self._keep(door, wrong)
            return CodeOutcome.WRONG, None
        kept = self._keep(door, _Book(counter + 1))
        return (CodeOutcome.ACCEPTED if kept else CodeOutcome.NOT_KEPT), counter

    def _lock_out(self, door: str, book: _Book) -> None:
        beyond = book.wrong - FREE_TRIES - 1
        if beyond >= 0:
            pause = min(LOCKOUT_MS << min(beyond, 10), LOCKOUT_LONGEST_MS)
            self._locked_until[door] = self._clock.mono() + pause

    def _keep(self, door: str, book: _Book) -> bool:
        """Memory and disk; False if the disk refuses, and then memory alone remembers."""
        assert self._books is not None  # noqa: S101 - asked for only after that was looked at
        self._books[door] = book
        text = json.dumps({name: asdict(held) for name, held in self._books.items()})
        try:
            write_atomically(self._path, text.encode())
        except OSError as error:
            log.warning("codes_not_kept", error=str(error))
            return False
        return True


def _read(path: Path) -> dict[str, _Book]:
    if not path.exists():
        return {}
    raw = json.loads(path.read_bytes())
    return {door: _Book(int(held["counter"]), int(held["wrong"])) for door, held in raw.items()}
