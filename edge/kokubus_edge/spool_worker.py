"""The part of the spool that waits for the disk; `kokubus_edge.spool` runs it in a thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from kokubus.messages import Instant
from kokubus.ranges import Ranges
from kokubus_edge.spool_flights import Letter
from kokubus_edge.spool_numbers import Numbers
from kokubus_edge.spool_orders import (
    CommandKept,
    Executing,
    Kept,
    Linked,
    Order,
    Received,
    Setting,
    Thrown,
)
from kokubus_edge.spool_sender import Sender
from kokubus_edge.spool_store import RANGES_A_FACT, Batch, Store, Written
from kokubus_edge.trouble import Trouble

log = structlog.get_logger(__name__)

_GONE_A_COMMIT = 500
_RETRY_MS, _RETRY_LONGEST_MS = 1_000, 10_000
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Worker:
    """Takes orders in batches, one commit each, and sends again what has no receipt.

    `sqlite3.Error` never leaves it: what could not be written stays in memory and is tried
    again; a damaged file is moved aside and a new epoch begun. Receipted facts are deleted
    with the next commit, so that a fact costs one fsync and not two.
    """

    def __init__(self, setting: Setting, numbers: Numbers, thrown: Thrown) -> None:
        self._set = setting
        self._clock = setting.clock
        self._numbers = numbers
        self._thrown = thrown
        self._sender = Sender(setting)
        self._store: Store | None = None
        self._unkept: dict[tuple[str, int], Letter] = {}
        self._seen: dict[str, Ranges] = {}
        self._gone: dict[str, Ranges] = {}
        self._gone_stored = 0
        self._commands: list[tuple[str, Instant]] = []
        self._troubles: set[str] = set()
        self._failures = 0
        self._retry_at = 0
        self.writing_since: int | None = None

    def cycle(self, orders: Iterable[Order]) -> None:
        """Take in what was ordered, write it, send what is due."""
        for order in orders:
            self._take(order)
        self._count_gone()
        if self._wants_writing():
            self._write()
        self._sender.work(self._backlog, self._wanted)

    def wait_s(self) -> float | None:
        """How long nothing needs doing unless an order comes; None: for ever."""
        look = self._sender.next_at(self.pending)
        times = [] if look is None else [look]
        if self._failures or self._unkept:
            times.append(self._retry_at)
        if not times:
            return None
        return max(0.0, (min(times) - self._clock.mono()) / 1000)

    @property
    def pending(self) -> int:
        """Facts without a receipt, on disk and in memory."""
        stored = self._store.total if self._store else 0
        return stored - self._gone_stored + len(self._unkept)

    @property
    def in_memory(self) -> int:
        """Facts the disk has not taken yet."""
        return len(self._unkept)

    def close(self) -> None:
        """Write what is left, give unused numbers back, close the file."""
        self._write()
        if self._store is None:
            return
        try:
            self._store.release(self._numbers.withdraw())
        except sqlite3.Error as error:
            log.warning("spool_close_failed", error=str(error))
        self._store.close()
        self._store = None

    def _take(self, order: Order) -> None:
        match order:
            case Kept(letter, sent):
                self._unkept[letter.key] = letter
                self._seen.setdefault(letter.epoch, Ranges()).add(letter.seq)
                if sent:
                    self._sender.sent(letter)
            case Received(epoch, pairs):
                self._sender.received(epoch, pairs)
                self._forget(epoch, pairs)
            case Linked(up):
                self._sender.linked(up)
            case Executing(command, expires_at):
                self._commands.append((command, expires_at))

    def _forget(self, epoch: str, pairs: Iterable[tuple[int, int]]) -> None:
        gone = self._gone.setdefault(epoch, Ranges())
        for first, last in pairs:
            gone.add_range(first, last)
        for key in [key for key in self._unkept if key[0] == epoch and key[1] in gone]:
            del self._unkept[key]

    def _wants_writing(self) -> bool:
        if self._failures and self._clock.mono() < self._retry_at:
            return False
        if self._unkept or self._commands or self._failures or self._thrown:
            return True
        return self._store is None or self._gone_stored >= _GONE_A_COMMIT

    def _count_gone(self) -> None:
        """A fact sent twice is receipted twice: what was deleted before does not count."""
        if self._store is not None and self._gone:
            try:
                self._gone_stored = self._store.count(self._gone)
            except sqlite3.Error as error:
                self._failed(error)

    def _write(self) -> None:
        try:
            self.writing_since = self._clock.mono()
            store = self._store or self._open()
            with self._drawing(store.epoch) as draw:
                written = store.write(self._batch(draw))
            self._written(store, written)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
        finally:
            self.writing_since = None

    def _open(self) -> Store:
        sizes = self._set.sizes
        path, declare = self._set.path, self._set.declare
        self._store = store = Store(path, declare, limit=sizes.limit, block=sizes.block)
        self._numbers.grant(store.epoch, *store.granted)
        return store

    @contextmanager
    def _drawing(self, epoch: str) -> Iterator[Callable[[], int | None]]:
        """Numbers drawn for a commit that fails are used by the next."""
        drawn: list[int] = []

        def draw() -> int | None:
            seq = self._numbers.take_in(epoch)
            drawn.extend([] if seq is None else [seq])
            return seq

        try:
            yield draw
        except BaseException:
            self._numbers.put_back(epoch, drawn)
            raise

    def _batch(self, draw: Callable[[], int | None]) -> Batch:
        return Batch(
            letters=list(self._unkept.values()),
            seen=self._seen,
            gone=self._gone,
            commands=self._commands,
            draw=draw,
            reserve=self._numbers.left <= self._set.sizes.block // 2,
            now=self._clock.now(),
        )

    def _written(self, store: Store, written: Written) -> None:
        if written.granted:
            self._numbers.grant(store.epoch, *written.granted)
        self._unkept.clear()
        self._seen.clear()
        self._gone.clear()
        self._gone_stored = 0
        self._commands.clear()
        for command, fresh in written.fresh:
            self._set.tell(CommandKept(command, fresh))
        self._failures = 0
        self._trouble("disk_full", active=False)
        if written.thinned:
            self._trouble("spool_full", active=True, detail=f"{written.thinned} facts thinned")
        elif store.total < self._set.sizes.limit * 0.8:
            self._trouble("spool_full", active=False)
        self._thrown.claim(self._declare_thrown)

    def _declare_thrown(self, epoch: str, kind: str, lost: Ranges) -> bool:
        """The declaration is written with the next commit; False while it has no number."""
        seen = self._seen.setdefault(epoch, Ranges())
        pairs = list(lost)
        for start in range(0, len(pairs), RANGES_A_FACT):
            seq = self._numbers.take_in(epoch)
            if seq is None:
                return False
            chunk = pairs[start : start + RANGES_A_FACT]
            letter = self._set.declare(epoch, seq, chunk, kind)
            for first, last in (*chunk, (seq, seq)):
                seen.add_range(first, last)
            self._unkept[letter.key] = letter
        return True

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        pause = min(_RETRY_MS << min(self._failures - 1, 10), _RETRY_LONGEST_MS)
        self._retry_at = self._clock.mono() + pause
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _DAMAGED and self._set_aside(error):
            return
        if self._failures == 1:
            log.error("spool_write_failed", error=str(error), in_memory=len(self._unkept))
        self._trouble("disk_full", active=True, detail=f"spool cannot be written: {error}")

    def _set_aside(self, error: Exception) -> bool:
        """Keep the damaged file for somebody to look at; what memory holds is spooled anew."""
        if self._store is not None:
            self._store.close()
        self._store = None
        self._gone_stored = 0
        self._numbers.withdraw()
        aside = self._set.path.with_name(f"{self._set.path.name}.damaged-{self._clock.now()}")
        try:
            _move(self._set.path, aside)
        except OSError as refused:
            log.warning("spool_not_moved", error=str(refused))
            return False
        self._unkept = {letter.key: letter for letter in self._sender.under_way()} | self._unkept
        self._sender.rewind()
        log.error("spool_damaged", moved_to=aside.name, error=str(error))
        detail = f"moved aside as {aside.name}; facts in it are not sent"
        self._trouble("spool_corrupt", active=True, detail=detail)
        if self._failures == 1:
            self._retry_at = self._clock.mono()
        return True

    def _trouble(self, alarm: str, *, active: bool, detail: str = "") -> None:
        if active == (alarm in self._troubles):
            return
        (self._troubles.add if active else self._troubles.discard)(alarm)
        self._set.tell(Trouble(alarm, active, detail[:300]))

    def _wanted(self, letter: Letter) -> bool:
        return letter.epoch not in self._gone or letter.seq not in self._gone[letter.epoch]

    def _backlog(self, after: int, count: int) -> list[tuple[int, Letter]]:
        """From disk; where that ends or refuses, what only memory holds, under key 0."""
        found: list[tuple[int, Letter]] = []
        if self._store is not None:
            try:
                found = self._store.fetch(after, count)
            except sqlite3.Error as error:
                self._failed(error)
        return found or [(0, letter) for letter in self._unkept.values()]


def _move(path: Path, to: Path) -> None:
    """A database with its journal, which alone would be taken for the next one's."""
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(to.with_name(to.name + suffix))
