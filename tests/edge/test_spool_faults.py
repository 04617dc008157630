"""Nothing lost, nothing numbered twice, no false gap: through crashes and refused writes."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.edge.fake_clock import FakeClock
from tests.trying import examples

from kokubus.messages import Dropped, Stamp
from kokubus.ranges import Ranges
from kokubus.wire import decode_up, encode_up
from kokubus_edge.spool_flights import Letter
from kokubus_edge.spool_numbers import Numbers
from kokubus_edge.spool_orders import Kept, Linked, Order, Received, Setting, Sizes, Thrown
from kokubus_edge.spool_worker import Worker

pytestmark = pytest.mark.slow

KINDS = ("sensors_read", "contact_changed", "badge_tapped", "enforced")


class Faulty:
    """A connection whose ``fuse``-th call from now fails, and all after it until mended."""

    def __init__(self, db: sqlite3.Connection, fuse: int) -> None:
        self.db, self.fuse = db, fuse

    def __getattr__(self, name: str) -> Any:
        if name in {"execute", "executemany"}:
            return lambda *args: self._call(name, *args)
        return getattr(self.db, name)

    def _call(self, name: str, *args: Any) -> Any:
        self.fuse -= 1
        if self.fuse < 0 and args[0] != "ROLLBACK":
            raise sqlite3.OperationalError("database or disk is full")
        return getattr(self.db, name)(*args)


class SpoolMachine(RuleBasedStateMachine):
    """A device, its hub, and everything that can go wrong between them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "spool.db"
        self.clock = FakeClock()
        self.handed_out: set[tuple[str, int]] = set()
        self.at_hub: dict[tuple[str, int], bytes] = {}
        self.declared: dict[str, Ranges] = {}
        self.durable: set[tuple[str, int]] = set()
        self.own_epochs: set[str] = set()
        self.waiting: set[tuple[str, int]] = set()
        self.refusing = False

    @initialize(limit=st.sampled_from([12, 10_000]), block=st.integers(2, 12))
    def first_boot(self, limit: int, block: int) -> None:
        self.sizes = Sizes(limit=limit, memory=50, window=4, block=block)
        self.boot()

    def boot(self) -> None:
        self.orders: list[Order] = []
        self.waiting = set()
        self.linked = False
        self.numbers, self.thrown = Numbers(patience_s=0), Thrown()
        setting = Setting(
            path=self.path,
            device="d-1",
            clock=self.clock,
            send=self.hub_hears,
            tell=lambda _: None,
            declare=self.declare,
            sizes=self.sizes,
        )
        self.worker = Worker(setting, self.numbers, self.thrown)
        self.worker.cycle([])
        assert self.worker._store is not None
        self.own_epochs.add(self.worker._store.epoch)

    def declare(self, epoch: str, seq: int, ranges: Any, lost: str) -> Letter:
        fact = Dropped(id=f"dropped-{seq}", at=1, ranges=tuple(ranges), lost=lost)
        return Letter(epoch, seq, fact.kind, encode_up(fact, self.stamp(epoch, seq)))

    @staticmethod
    def stamp(epoch: str, seq: int) -> Stamp:
        return Stamp(epoch=epoch, seq=seq, boot="b", uptime_ms=1, clock=FakeClock.believed)

    def hub_hears(self, topic: str, payload: bytes) -> bool:
        if self.refusing:
            return False
        if topic.endswith("/dropped"):
            up = decode_up(topic, payload)
            assert up.stamp is not None
            assert isinstance(up.message, Dropped)
            key = (up.stamp.epoch, up.stamp.seq)
            ranges = self.declared.setdefault(up.stamp.epoch, Ranges())
            for first, last in up.message.ranges:
                ranges.add_range(first, last)
        else:
            epoch, seq, _ = payload.decode().split(" ")
            key = (epoch, int(seq))
        assert self.at_hub.setdefault(key, payload) == payload, f"{key} names two facts"
        return True

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6), taken=st.booleans())
    def something_happens(self, kinds: list[str], taken: bool) -> None:
        for kind in kinds:
            letter = self.next_letter(kind)
            sent = taken and self.linked and self.hub_hears(f"x/{kind}", letter.payload)
            self.orders.append(Kept(letter, sent))
            self.waiting.add(letter.key)

    @rule(kind=st.sampled_from(KINDS))
    def memory_is_full(self, kind: str) -> None:
        self.thrown.add(self.next_letter(kind))

    def next_letter(self, kind: str) -> Letter:
        epoch, seq = self.numbers.take()
        assert (epoch, seq) not in self.handed_out, f"{epoch} {seq} was handed out twice"
        self.handed_out.add((epoch, seq))
        return Letter(epoch, seq, kind, f"{epoch} {seq} {len(self.handed_out)}".encode())

    @rule(ms=st.sampled_from([1, 1_000, 6_000, 70_000]))
    def the_thread_runs(self, ms: int = 1) -> None:
        self.clock.pass_ms(ms)
        orders, self.orders = self.orders, []
        self.worker.cycle(orders)
        if not self.worker.in_memory:
            self.durable |= self.waiting
            self.waiting = set()

    @rule(up=st.booleans(), refusing=st.booleans())
    def link_changes(self, up: bool, refusing: bool) -> None:
        self.linked, self.refusing = up, refusing
        self.orders.append(Linked(up))

    @rule(data=st.data())
    def hub_receipts_some(self, data: st.DataObject) -> None:
        if self.at_hub:
            keys = data.draw(st.sets(st.sampled_from(sorted(self.at_hub)), max_size=6))
            self.receipt(keys)

    def receipt(self, keys: set[tuple[str, int]]) -> None:
        for epoch in sorted({epoch for epoch, _ in keys}):
            numbers = Ranges((seq, seq) for name, seq in keys if name == epoch)
            self.orders.append(Received(epoch, list(numbers)))

    @rule(kinds=st.lists(st.sampled_from(KINDS), max_size=6), fuse=st.integers(0, 12))
    def the_disk_begins_to_refuse(self, kinds: list[str], fuse: int) -> None:
        store = self.worker._store
        if store is not None and not isinstance(store._db, Faulty):
            store._db = Faulty(store._db, fuse)  # type: ignore[assignment]  # in its place
        self.something_happens(kinds, taken=False)
        self.the_thread_runs()

    @rule()
    def the_disk_is_mended(self) -> None:
        store = self.worker._store
        if store is not None and isinstance(store._db, Faulty):
            store._db = store._db.db

    @rule()
    def power_is_cut(self) -> None:
        self.abandon()
        self.boot()

    def abandon(self) -> None:
        """What was not committed is gone, as it is when the process dies."""
        self.the_disk_is_mended()
        if self.worker._store is not None:
            self.worker._store.close()
        self.worker._store = None

    @rule()
    def agent_restarts(self) -> None:
        self.the_disk_is_mended()
        self.the_thread_runs()
        self.worker.close()
        self.boot()

    def teardown(self) -> None:
        try:
            if hasattr(self, "worker"):
                self.drain()
                self.nothing_is_missing()
        finally:
            if hasattr(self, "worker"):
                self.abandon()
            self.folder.cleanup()

    def drain(self) -> None:
        """Everything works again: all that is left arrives and is receipted."""
        self.the_disk_is_mended()
        self.linked, self.refusing = True, False
        self.orders.append(Linked(up=True))
        for _ in range(300):
            self.the_thread_runs()
            self.receipt(set(self.at_hub))
            self.clock.pass_ms(11_000)
            if not self.worker.pending and not self.thrown:
                return
        raise AssertionError(f"{self.worker.pending} facts never leave the spool")

    def nothing_is_missing(self) -> None:
        known = {epoch: Ranges(self.declared.get(epoch, ())) for epoch in self.own_epochs}
        for epoch, seq in self.at_hub:
            known.setdefault(epoch, Ranges(self.declared.get(epoch, ()))).add(seq)
        lost = {key for key in self.durable if key[1] not in known[key[0]]}
        assert not lost, f"kept and lost: {lost}"
        for epoch, seq in self.handed_out:
            if epoch in self.own_epochs:
                assert seq in known[epoch], f"a gap at {seq} that nobody declared"


SpoolMachine.TestCase.settings = settings(
    max_examples=examples(80), stateful_step_count=40, deadline=None
)
TestSpoolThroughFaults = SpoolMachine.TestCase


def test_a_fault_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    """The machine's own tool works: a refused write is a refused write."""
    faulty = Faulty(sqlite3.connect(tmp_path / "x.db"), 1)
    faulty.execute("CREATE TABLE t (n)")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        faulty.execute("INSERT INTO t VALUES (1)")
    faulty.db.close()
