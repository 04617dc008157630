"""The spool as the agent uses it: in its own thread, on a real file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.edge.fake_clock import FakeClock
from tests.edge.spool_bench import PATIENCE_S, bench, reading, rows, wait_for

from kokubus.messages import Dropped, SensorsRead
from kokubus.wire import UPLINK_LIMIT
from kokubus_edge.spool_store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool.db"


def test_numbers_run_on_across_restarts_in_one_epoch(path: Path) -> None:
    with bench(path) as first:
        keys = [first.tap(n) for n in range(3)]
    with bench(path) as second:
        keys.append(second.tap())
        assert second.spool.pending == 4
    assert [seq for _, seq in keys] == [1, 2, 3, 4]
    assert len({epoch for epoch, _ in keys}) == 1


def test_another_file_is_another_epoch(tmp_path: Path) -> None:
    with bench(tmp_path / "a.db") as a, bench(tmp_path / "b.db") as b:
        assert a.spool.stamp().epoch != b.spool.stamp().epoch


def test_a_stamp_carries_boot_uptime_and_trust(path: Path) -> None:
    with bench(path) as it:
        stamp = it.spool.stamp()
    assert (stamp.boot, stamp.uptime_ms, stamp.clock) == ("boot-1", 50_000, FakeClock.believed)


def test_a_receipt_removes_exactly_what_it_names(path: Path) -> None:
    with bench(path) as it:
        epoch = it.taps(10)
        it.spool.receipt(epoch, [(1, 3), (7, 7)], rejected=[9])
        it.settle(5)
        it.spool.receipt("another epoch", [(1, 10)])
        it.tap(11)
        it.settle(6)
    assert [key & 0xFF for (key,) in rows(path, "SELECT id FROM fact ORDER BY id")] == [
        4, 5, 6, 8, 10, 11,
    ]  # fmt: skip


def test_the_same_receipt_twice_hides_nothing(path: Path) -> None:
    with bench(path) as it:
        epoch, _ = it.tap(1)
        for again in range(5):
            it.spool.receipt(epoch, [(1, 1)])
            it.tap(again + 2)
        it.settle(5)


def test_the_backlog_starts_with_the_connection_oldest_first(path: Path) -> None:
    with bench(path, window=100) as it:
        it.taps(50)
        assert it.hub.heard == []
        it.spool.linked(up=True)
        wait_for(lambda: len(it.hub.heard) == 50, "the backlog")
    assert it.hub.numbers == list(range(1, 51))


def test_no_more_than_a_window_is_sent_ahead_of_receipts(path: Path) -> None:
    with bench(path, window=8) as it:
        epoch = it.taps(30)
        it.spool.linked(up=True)
        wait_for(lambda: len(it.hub.heard) == 8, "a window")
        it.spool.receipt(epoch, [(1, 3)])
        wait_for(lambda: len(it.hub.heard) == 11, "three more")
        it.settle(27)
        assert it.hub.numbers == list(range(1, 12))


def test_a_large_backlog_drains_as_receipts_come(path: Path) -> None:
    with bench(path) as it:
        it.taps(3_000)
        it.hub.receipts = lambda epoch, seq: it.spool.receipt(epoch, [(seq, seq)])
        it.spool.linked(up=True)
        it.settle(0)
        assert sorted(it.hub.numbers) == list(range(1, 3_001))


def test_a_fact_without_receipt_is_sent_again_with_growing_pauses(path: Path) -> None:
    with bench(path) as it:
        it.spool.linked(up=True)
        it.tap(sent=True)
        it.settle(1)
        sent_after = []
        for second in range(1, 200):
            it.clock.pass_ms(1_000)
            before = len(it.hub.heard)
            it.spool._worker.cycle([])  # its thread waits by the real clock
            if len(it.hub.heard) > before:
                sent_after.append(second)
    assert sent_after == [5, 15, 35, 75, 135, 195]


def test_what_the_link_took_is_not_sent_again_at_once(path: Path) -> None:
    with bench(path) as it:
        it.spool.linked(up=True)
        it.tap(1, sent=True)
        it.tap(2, sent=False)
        it.settle(2)
        it.clock.pass_ms(1_000)
        it.spool.receipt("none", [])
        wait_for(lambda: it.hub.heard, "the one the link refused")
        it.settle(2)
    assert it.hub.numbers == [2]


def test_what_the_link_refuses_is_offered_again(path: Path) -> None:
    with bench(path) as it:
        it.hub.refusing = True
        it.spool.linked(up=True)
        it.tap()
        it.settle(1)
        it.hub.refusing = False
        it.clock.pass_ms(100)
        it.spool.receipt("none", [])
        wait_for(lambda: it.hub.heard, "the second offer")


def test_a_fact_that_came_before_the_cursor_is_found_by_the_next_pass(path: Path) -> None:
    """Numbers of a passing epoch lie behind those of the file, whenever they were made."""
    with bench(path, block=2) as it:
        it.spool.linked(up=True)
        it.settle(0)
        numbers = it.spool._numbers
        withdrawn = numbers.withdraw()
        passing, _ = it.tap(1)
        wait_for(lambda: len(it.hub.heard) == 1, "the passing one")
        own = it.spool._worker._store
        assert own is not None
        it.hub.refusing = True
        numbers.grant(own.epoch, *withdrawn[0])
        assert it.tap(2)[0] == own.epoch != passing
        it.settle(2)
        it.hub.refusing = False
        it.clock.pass_ms(6_000)
        it.spool.receipt("none", [])
        wait_for(
            lambda: {u.stamp.epoch for u in it.hub.heard if u.stamp} == {own.epoch, passing}, "both"
        )


def test_facts_that_come_together_share_a_commit(path: Path, monkeypatch: Any) -> None:
    commits = 0
    write = Store.write
    go_on = threading.Event()

    def counted(self: Store, batch: Any) -> Any:
        nonlocal commits
        go_on.wait(PATIENCE_S)
        commits += 1
        return write(self, batch)

    with bench(path) as it:
        monkeypatch.setattr(Store, "write", counted)
        for n in range(100):
            it.tap(n)
        go_on.set()
        it.settle(100)
        assert commits <= 2


def test_receipts_wait_for_the_next_commit(path: Path) -> None:
    """A fact costs one fsync, not one more for being forgotten."""
    with bench(path) as it:
        epoch = it.taps(1)
        it.spool.receipt(epoch, [(1, 1)])
        it.settle(0)
        assert rows(path, "SELECT id & 255 FROM fact") == [(1,)]
        it.tap()
        wait_for(lambda: rows(path, "SELECT id & 255 FROM fact") == [(2,)], "the next commit")


def test_a_fact_the_hub_would_never_take_is_declared_and_blocks_nothing(path: Path) -> None:
    with bench(path) as it:
        stamp = it.spool.stamp()
        it.spool.keep(reading(1), stamp, b" " * (UPLINK_LIMIT + 1), sent=False)
        wait_for(lambda: it.stored == 1, "the declaration")
        it.tap(2)
        it.spool.linked(up=True)
        wait_for(lambda: len(it.hub.heard) == 2, "all there is")
        dropped = it.hub.heard[0].message
        assert isinstance(dropped, Dropped)
        assert dropped.ranges == ((stamp.seq, stamp.seq),)
        assert dropped.lost == SensorsRead.kind


def test_a_fact_costs_one_commit_at_most_receipt_included(path: Path, monkeypatch: Any) -> None:
    """Flash wear: facts that come one by one, each receipted before the next."""
    commits = 0
    transaction = Store._transaction

    def counted(self: Store) -> Any:
        nonlocal commits
        commits += 1
        return transaction(self)

    with bench(path) as it:
        it.spool.linked(up=True)
        it.settle(0)
        monkeypatch.setattr(Store, "_transaction", counted)
        for number in range(40):
            it.spool.receipt(it.tap(number, sent=True)[0], [(number + 1, number + 1)])
            it.settle(0)
    assert commits <= 40 + 1  # and one when it is closed


def test_nothing_of_the_backlog_is_sent_while_somebody_waits_at_the_door(path: Path) -> None:
    with bench(path, window=4) as it:
        epoch = it.taps(20)
        it.spool.linked(up=True)
        wait_for(lambda: len(it.hub.heard) == 4, "a window")
        asked = it.tap(99, sent=True)
        it.settle(21)
        it.spool.receipt(epoch, [(1, 4)])
        it.settle(17)
        assert len(it.hub.heard) == 4
        it.spool.receipt(*_one(asked))
        wait_for(lambda: len(it.hub.heard) == 8, "the next window")


def test_a_hub_that_does_not_answer_at_the_door_holds_the_backlog_for_a_moment(path: Path) -> None:
    with bench(path, window=4) as it:
        it.taps(3)
        it.tap(99, sent=True)
        it.settle(4)
        it.spool.linked(up=True)
        it.tap(100, sent=True)
        it.settle(5)
        it.clock.pass_ms(400)
        it.spool.receipt("none", [])
        wait_for(lambda: len(it.hub.heard) >= 3, "the backlog")


def _one(key: tuple[str, int]) -> tuple[str, list[tuple[int, int]]]:
    return key[0], [(key[1], key[1])]
