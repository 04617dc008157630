"""A spool on a real file, its hub, and what it told."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.edge.fake_clock import FakeClock

from kokubus.messages import BadgeTapped, Fact, Reading, SensorsRead
from kokubus.wire import Up, decode_up, encode_up
from kokubus_edge.spool import Spool
from kokubus_edge.spool_orders import CommandKept, Sizes
from kokubus_edge.spool_store import Store
from kokubus_edge.trouble import Trouble

PATIENCE_S = 60


def wait_for(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)


class Hub:
    """Hears what the spool sends again; `receipts` answers at once."""

    def __init__(self) -> None:
        self.heard: list[Up] = []
        self.receipts: Callable[[str, int], None] | None = None
        self.refusing = False

    def send(self, topic: str, payload: bytes) -> bool:
        if self.refusing:
            return False
        up = decode_up(topic, payload)
        assert up.stamp is not None
        self.heard.append(up)
        if self.receipts is not None:
            self.receipts(up.stamp.epoch, up.stamp.seq)
        return True

    @property
    def numbers(self) -> list[int]:
        return [up.stamp.seq for up in self.heard if up.stamp]

    @property
    def ids(self) -> list[str]:
        return [getattr(up.message, "id", "") for up in self.heard]


class Bench:
    """A spool, its hub, and what it told."""

    def __init__(self, path: Path, **sizes: int) -> None:
        self.path, self.clock, self.hub = path, FakeClock(), Hub()
        self.told: list[Trouble | CommandKept] = []
        self.spool = Spool(
            path,
            device="d-1",
            clock=self.clock,
            send=self.hub.send,
            tell=self.told.append,
            sizes=Sizes(**{"least": sizes.get("window", 32)} | sizes),
        )

    def record(self, fact: Fact, *, sent: bool = False) -> tuple[str, int]:
        stamp = self.spool.stamp()
        self.spool.keep(fact, stamp, encode_up(fact, stamp), sent=sent)
        return stamp.epoch, stamp.seq

    def tap(self, number: int = 1, *, sent: bool = False) -> tuple[str, int]:
        fact = BadgeTapped(id=f"tap-{number}", at=number, door="front", sealed="s")
        return self.record(fact, sent=sent)

    def taps(self, count: int) -> str:
        """Record taps, wait until they are on disk; their epoch."""
        stored = self.stored
        epoch = [self.tap(number) for number in range(count)][-1][0]
        wait_for(lambda: self.stored == stored + count, "the taps on disk")
        return epoch

    @property
    def stored(self) -> int:
        store = self.spool._worker._store
        return store.total if store else 0

    def settle(self, pending: int) -> None:
        wait_for(lambda: self.spool.pending == pending, f"{pending} pending")

    def troubles(self) -> list[tuple[str, bool]]:
        return [(t.alarm, t.active) for t in self.told if isinstance(t, Trouble)]


def reading(number: int) -> SensorsRead:
    value = Reading(sensor="co2", quantity="co2", at=number, value=500.0)
    return SensorsRead(id=f"reading-{number}", at=number, readings=(value,))


@contextmanager
def bench(path: Path, **sizes: int) -> Iterator[Bench]:
    made = Bench(path, **sizes)
    try:
        wait_for(made.spool._opened.is_set, "the file to be looked at")
        yield made
    finally:
        assert made.spool.close(PATIENCE_S)


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def stall(monkeypatch: Any) -> threading.Event:
    """Every write waits for the event that is returned."""
    go_on, write = threading.Event(), Store.write

    def slow(self: Store, batch: Any) -> Any:
        go_on.wait(PATIENCE_S)
        return write(self, batch)

    monkeypatch.setattr(Store, "write", slow)
    return go_on
