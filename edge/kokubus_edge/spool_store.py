"""The spool's file: facts the hub has not receipted, numbers, executed commands.

One thread uses it. A fact's key is ``epoch's row << 40 | seq``, so that rows are in the order
of their numbers and a receipt's range is one range of keys.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from kokubus.messages import Instant
from kokubus.ranges import Pairs, Ranges
from kokubus_edge.spool_flights import Letter
from kokubus_edge.spool_orders import Declare
from kokubus_edge.spool_thinning import thin

_SHIFT = 40
RANGES_A_FACT = 2_000
_COMMAND_MS = 86_400_000
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = 4194304;
CREATE TABLE IF NOT EXISTS epoch (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, own INTEGER NOT NULL,
    reserved INTEGER NOT NULL, accounted TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fact (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tally (kind TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS command (
    id TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS fact_kept AFTER INSERT ON fact BEGIN
    INSERT INTO tally VALUES (new.kind, 1) ON CONFLICT (kind) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS fact_gone AFTER DELETE ON fact BEGIN
    UPDATE tally SET n = n - 1 WHERE kind = old.kind;
END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one commit writes.

    ``seen``: numbers that have been used, by epoch, spooled or not; ``gone``: receipted ones.
    ``commands``: (id, its expiry). ``reserve``: whether a block of numbers is wanted. ``draw``
    gives an unused number of the own epoch for what the store itself has to declare.
    """

    letters: Sequence[Letter] = ()
    seen: Mapping[str, Ranges] = field(default_factory=dict)
    gone: Mapping[str, Ranges] = field(default_factory=dict)
    commands: Sequence[tuple[str, Instant]] = ()
    reserve: bool = False
    draw: Callable[[], int | None] = lambda: None
    now: Instant = 0


@dataclass(frozen=True, slots=True)
class Written:
    """``granted``: numbers that may be used now; ``fresh``: by command, whether it was new."""

    granted: tuple[int, int] | None
    fresh: Sequence[tuple[str, bool]]
    thinned: int


@dataclass(slots=True)
class _Ledger:
    """The numbers of an epoch: up to ``reserved`` may have been used, ``accounted`` were."""

    id: int
    own: bool
    reserved: int
    accounted: Ranges

    def copy(self) -> _Ledger:
        return _Ledger(self.id, self.own, self.reserved, Ranges(self.accounted))

    def missing(self) -> list[tuple[int, int]]:
        fenced = Ranges(self.accounted)
        fenced.add_range(0, 0)
        fenced.add_range(self.reserved + 1, self.reserved + 1)
        return list(fenced.gaps())


class Store:
    """Opens or makes the file; every method may raise `sqlite3.Error` and then changed nothing.

    On opening, numbers that a crash left unused are declared (``lost="unused"``) and a block
    of ``block`` numbers is reserved: ``granted``.
    """

    def __init__(self, path: Path, declare: Declare, *, limit: int, block: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._declare = declare
        self._limit = limit
        self._block = block
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        try:
            self._db.executescript(_SCHEMA)
            self._ledgers = self._read_ledgers()
            self.granted = self._settle()
            self.total = self._total()
        except BaseException:
            self._db.close()
            raise

    @property
    def epoch(self) -> str:
        """This file's own epoch."""
        return next(name for name, ledger in self._ledgers.items() if ledger.own)

    def write(self, batch: Batch) -> Written:
        """One transaction, one fsync: spool, forget what was receipted, thin if full."""
        with self._transaction():
            self._insert(batch.letters)
            self._account(batch.seen)
            self._forget(batch.gone)
            fresh = self._execute(batch.commands, batch.now)
            thinned = self._thin(batch.draw)
            granted = self._reserve() if batch.reserve else None
            total = self._total()
        self.total = total
        return Written(granted, fresh, thinned)

    def fetch(self, after: int, count: int) -> list[tuple[int, Letter]]:
        """Up to ``count`` (key, fact) in order, from the key behind ``after``."""
        names = {ledger.id: name for name, ledger in self._ledgers.items()}
        rows = self._db.execute(
            "SELECT id, kind, payload FROM fact WHERE id > ? ORDER BY id LIMIT ?", (after, count)
        )
        return [
            (key, Letter(names[key >> _SHIFT], key & (1 << _SHIFT) - 1, kind, payload))
            for key, kind, payload in rows
        ]

    def count(self, numbers: Mapping[str, Ranges]) -> int:
        """How many of these facts are here."""
        some = "SELECT count(*) FROM fact WHERE id BETWEEN ? AND ?"
        return sum(self._db.execute(some, keys).fetchone()[0] for keys in self._keys(numbers))

    def release(self, unused: Pairs) -> None:
        """Give numbers back that were granted and not used, as far as they are the last ones."""
        with self._transaction():
            ledger = self._ledgers[self.epoch]
            for first, last in unused:
                if last == ledger.reserved:
                    ledger.reserved = first - 1

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = {name: ledger.copy() for name, ledger in self._ledgers.items()}
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._save(before)
            self._db.execute("COMMIT")
        except BaseException:
            self._ledgers = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _settle(self) -> tuple[int, int]:
        with self._transaction():
            self._prune()
            if not any(ledger.own for ledger in self._ledgers.values()):
                self._open_epoch(str(uuid4()), own=True)
            self._drop(self._ledgers[self.epoch].missing(), "unused", lambda: None)
            return self._reserve()

    def _prune(self) -> None:
        """Forget passing epochs of which nothing is left."""
        some = "SELECT 1 FROM fact WHERE id BETWEEN ? AND ? LIMIT 1"
        for name, ledger in list(self._ledgers.items()):
            base = ledger.id << _SHIFT
            used = self._db.execute(some, (base, base + (1 << _SHIFT) - 1)).fetchone()
            if not ledger.own and not used:
                del self._ledgers[name]
                self._db.execute("DELETE FROM epoch WHERE id = ?", (ledger.id,))

    def _insert(self, letters: Sequence[Letter]) -> None:
        rows = [(self._key(letter), letter.kind, letter.payload) for letter in letters]
        self._db.executemany("INSERT OR IGNORE INTO fact VALUES (?, ?, ?)", rows)

    def _account(self, seen: Mapping[str, Ranges]) -> None:
        for epoch, numbers in seen.items():
            ledger = self._ledgers.get(epoch) or self._open_epoch(epoch)
            for first, last in numbers:
                ledger.accounted.add_range(first, last)

    def _forget(self, gone: Mapping[str, Ranges]) -> None:
        self._db.executemany("DELETE FROM fact WHERE id BETWEEN ? AND ?", self._keys(gone))

    def _keys(self, numbers: Mapping[str, Ranges]) -> Iterator[tuple[int, int]]:
        for epoch, ranges in numbers.items():
            if epoch in self._ledgers:
                base = self._ledgers[epoch].id << _SHIFT
                for first, last in ranges:
                    yield base | first, base | min(last, (1 << _SHIFT) - 1)

    def _execute(
        self, commands: Sequence[tuple[str, Instant]], now: Instant
    ) -> list[tuple[str, bool]]:
        if commands:
            self._db.execute("DELETE FROM command WHERE until < ?", (now - _COMMAND_MS,))
        insert = "INSERT OR IGNORE INTO command VALUES (?, ?)"
        return [
            (name, self._db.execute(insert, (name, until)).rowcount == 1)
            for name, until in commands
        ]

    def _thin(self, draw: Callable[[], int | None]) -> int:
        over = self._total() - self._limit
        if over <= 0:
            return 0
        base = self._ledgers[self.epoch].id << _SHIFT
        lost = thin(self._db, (base, base + (1 << _SHIFT)), max(over, self._limit // 20))
        for kind, keys in lost.items():
            self._drop([(first - base, last - base) for first, last in keys], kind, draw)
        return sum(keys.count for keys in lost.values())

    def _drop(
        self, pairs: Sequence[tuple[int, int]], lost: str, draw: Callable[[], int | None]
    ) -> None:
        """Declare numbers of the own epoch, under the next number of all.

        That is a drawn one, or the first beyond the reserved where those are used up: any
        other would leave a gap behind it, and gaps alarm.
        """
        ledger = self._ledgers[self.epoch]
        for start in range(0, len(pairs), RANGES_A_FACT):
            chunk = pairs[start : start + RANGES_A_FACT]
            seq = draw() or ledger.reserved + 1
            ledger.reserved = max(ledger.reserved, seq)
            for first, last in (*chunk, (seq, seq)):
                ledger.accounted.add_range(first, last)
            self._insert([self._declare(self.epoch, seq, chunk, lost)])

    def _reserve(self) -> tuple[int, int]:
        ledger = self._ledgers[self.epoch]
        first = ledger.reserved + 1
        ledger.reserved += self._block
        return first, ledger.reserved

    def _key(self, letter: Letter) -> int:
        ledger = self._ledgers.get(letter.epoch) or self._open_epoch(letter.epoch)
        return ledger.id << _SHIFT | letter.seq

    def _open_epoch(self, name: str, *, own: bool = False) -> _Ledger:
        made = self._db.execute("INSERT INTO epoch VALUES (NULL, ?, ?, 0, '[]')", (name, own))
        ledger = _Ledger(made.lastrowid or 0, own, 0, Ranges())
        self._ledgers[name] = ledger
        return ledger

    def _save(self, before: Mapping[str, _Ledger]) -> None:
        changed = [led for name, led in self._ledgers.items() if before.get(name) != led]
        rows = [(led.reserved, json.dumps(list(led.accounted)), led.id) for led in changed]
        self._db.executemany("UPDATE epoch SET reserved = ?, accounted = ? WHERE id = ?", rows)

    def _read_ledgers(self) -> dict[str, _Ledger]:
        rows = self._db.execute("SELECT name, id, own, reserved, accounted FROM epoch")
        try:
            return {
                name: _Ledger(number, bool(own), reserved, Ranges(json.loads(accounted)))
                for name, number, own, reserved, accounted in rows
            }
        except (ValueError, TypeError) as error:
            damage = sqlite3.DatabaseError(f"numbers cannot be read: {error}")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage from error

    def _total(self) -> int:
        return int(self._db.execute("SELECT coalesce(sum(n), 0) FROM tally").fetchone()[0])
