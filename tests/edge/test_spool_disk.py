"""The spool when the card stalls, is full, damaged or missing, or the agent is killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.edge.spool_bench import bench, reading, rows, stall, wait_for

from kokubus.messages import ContactChanged, Dropped
from kokubus.ranges import Ranges
from kokubus_edge.spool_numbers import Numbers
from kokubus_edge.spool_orders import CommandKept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool.db"


def test_a_stalled_card_stops_neither_numbers_nor_keeping(path: Path, monkeypatch: Any) -> None:
    with bench(path, block=4) as it:
        it.tap()
        it.settle(1)
        go_on = stall(monkeypatch)
        keys = [it.tap(n) for n in range(50)]
        wait_for(lambda: it.spool._worker.writing_since is not None, "the stalled write")
        it.clock.pass_ms(2_001)
        it.tap()
        assert ("disk_stalled", True) in it.troubles()
        assert len(set(keys)) == 50
        go_on.set()
        wait_for(lambda: it.stored == 52, "all of them on disk")
        wait_for(lambda: it.spool.stalled_ms == 0, "the end of the write")
        it.spool.watch()
        assert it.troubles()[-1] == ("disk_stalled", False)
        assert it.spool.stamp().epoch == keys[0][0]


def test_a_receipt_reaches_a_fact_the_disk_has_not_taken(path: Path, monkeypatch: Any) -> None:
    with bench(path) as it:
        go_on = stall(monkeypatch)
        it.tap(1)
        wait_for(lambda: it.spool._worker.writing_since is not None, "the stalled write")
        epoch, seq = it.tap(2)
        it.spool.receipt(epoch, [(seq, seq)])
        go_on.set()
        it.settle(1)
    assert len(rows(path, "SELECT id FROM fact")) == 1


def test_memory_is_bounded_and_gives_up_readings_first(path: Path, monkeypatch: Any) -> None:
    with bench(path, memory=20, window=100) as it:
        go_on = stall(monkeypatch)
        it.tap(0)
        wait_for(lambda: it.spool._worker.writing_since is not None, "the stalled write")
        readings = [it.record(reading(n))[1] for n in range(15)]
        taps = [it.tap(n)[1] for n in range(15)]
        go_on.set()
        it.spool.linked(up=True)
        wait_for(lambda: sum(isinstance(u.message, Dropped) for u in it.hub.heard) == 2, "both")
    lost = {
        u.message.lost: Ranges(u.message.ranges)
        for u in it.hub.heard
        if isinstance(u.message, Dropped)
    }
    assert readings[-1] in lost["sensors_read"]
    assert taps[-1] in lost["badge_tapped"]
    assert lost["sensors_read"].count + lost["badge_tapped"].count <= 12
    arrived = Ranges((n, n) for n in it.hub.numbers)
    for ranges in lost.values():
        for first, last in ranges:
            arrived.add_range(first, last)
    assert list(arrived.gaps()) == []


class FullDisk:
    """A connection to a card without room: it can be read, not written."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def execute(self, sql: str, *args: Any) -> Any:
        if sql.startswith("BEGIN"):
            raise sqlite3.OperationalError("database or disk is full")
        return self.db.execute(sql, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)


def test_a_full_disk_is_reported_and_facts_still_reach_the_hub(path: Path) -> None:
    with bench(path) as it:
        store = it.spool._worker._store
        assert store is not None
        db, store._db = store._db, FullDisk(store._db)  # type: ignore[assignment]  # in its place
        it.tap()
        it.settle(1)
        wait_for(lambda: it.troubles() == [("disk_full", True)], "the report")
        it.spool.linked(up=True)
        wait_for(lambda: it.hub.heard, "the fact from memory")
        store._db = db
        it.clock.pass_ms(11_000)
        it.spool.receipt("none", [])
        wait_for(lambda: it.troubles()[-1] == ("disk_full", False), "the all-clear")
    assert len(rows(path, "SELECT id FROM fact")) == 1


def test_no_disk_at_all_lets_the_door_work(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with bench(tmp_path / "data" / "spool.db") as it:
        wait_for(lambda: it.troubles() == [("disk_full", True)], "the report")
        assert [it.tap(n)[1] for n in range(3)] == [1, 2, 3]
        it.settle(3)


@pytest.mark.parametrize("damage", ["header", "pages"])
def test_a_damaged_file_is_kept_aside_and_a_new_epoch_begun(path: Path, damage: str) -> None:
    with bench(path) as it:
        old = it.taps(2_000)
    content = bytearray(path.read_bytes())
    where = slice(0, 4_096) if damage == "header" else slice(8_192, len(content) - 4_096)
    content[where] = b"\xa5" * len(content[where])
    path.write_bytes(content)
    with bench(path) as it:
        it.spool.linked(up=True)
        it.record(reading(1))
        wait_for(lambda: ("spool_corrupt", True) in it.troubles(), "the report")
        epoch, _ = it.record(reading(2))
        assert epoch != old
        wait_for(lambda: "reading-2" in it.hub.ids, "what came after the damage")
        assert "reading-1" in it.hub.ids
    aside = [file for file in path.parent.iterdir() if "damaged" in file.name]
    assert any(file.read_bytes() == bytes(content) for file in aside)
    assert rows(path, "SELECT count(*) FROM fact") != [(0,)]


def test_a_full_spool_thins_readings_before_taps(path: Path) -> None:
    with bench(path, limit=40, window=1_000) as it:
        it.record(ContactChanged(id="c", at=1, door="front", open=True))
        for n in range(20):
            it.record(reading(n))
            it.tap(n)
        for n in range(15):
            it.tap(100 + n)
        wait_for(lambda: ("spool_full", True) in it.troubles(), "the report")
        it.spool.linked(up=True)
        wait_for(lambda: sum(u.message.kind == "badge_tapped" for u in it.hub.heard) == 35, "taps")
    kinds = [up.message.kind for up in it.hub.heard]
    assert kinds.count("contact_changed") == 1
    assert kinds.count("sensors_read") < 20
    dropped = [up.message for up in it.hub.heard if isinstance(up.message, Dropped)]
    assert {fact.lost for fact in dropped} == {"sensors_read"}
    known = Ranges((n, n) for n in it.hub.numbers)
    for fact in dropped:
        for first, last in fact.ranges:
            known.add_range(first, last)
    assert list(known.gaps()) == []


def test_a_command_is_on_disk_before_it_is_told_and_fresh_once(path: Path) -> None:
    with bench(path) as it:
        it.spool.keep_command("open-1", it.clock.now() + 10_000)
        wait_for(lambda: CommandKept("open-1", fresh=True) in it.told, "the command")
        assert rows(path, "SELECT id FROM command") == [("open-1",)]
        it.spool.keep_command("open-1", it.clock.now() + 10_000)
        wait_for(lambda: CommandKept("open-1", fresh=False) in it.told, "the repeat")
    with bench(path) as it:
        it.spool.keep_command("open-1", it.clock.now() + 10_000)
        wait_for(lambda: it.told == [CommandKept("open-1", fresh=False)], "after a restart")


def test_expired_commands_are_forgotten_after_a_day(path: Path) -> None:
    with bench(path) as it:
        it.spool.keep_command("old", it.clock.now() + 10_000)
        wait_for(lambda: it.told, "the command")
        it.clock.pass_ms(86_400_000 + 10_001)
        it.spool.keep_command("new", it.clock.now() + 10_000)
        wait_for(lambda: len(it.told) == 2, "the next")
    assert rows(path, "SELECT id FROM command") == [("new",)]


def test_a_stalled_card_delays_the_command_not_the_loop(path: Path, monkeypatch: Any) -> None:
    with bench(path) as it:
        go_on = stall(monkeypatch)
        it.spool.keep_command("open-1", it.clock.now() + 10_000)
        wait_for(lambda: it.spool._worker.writing_since is not None, "the stalled write")
        assert it.told == []
        go_on.set()
        wait_for(lambda: it.told == [CommandKept("open-1", fresh=True)], "the command")


def test_numbers_are_unique_across_threads() -> None:
    numbers = Numbers(patience_s=0)
    numbers.grant("e", 1, 2_000)
    taken: list[tuple[str, int]] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(numbers.take() for _ in range(600)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 2_400
    assert sum(epoch == "e" for epoch, _ in taken) == 2_000


KILLED = """
import itertools, sys
from pathlib import Path
from kokubus.messages import BadgeTapped
from kokubus.wire import encode_up
from kokubus_edge.clock import DeviceClock
from kokubus_edge.spool import Spool
from kokubus_edge.spool_orders import Sizes

path = Path(sys.argv[1])
spool = Spool(path, device="d-1", clock=DeviceClock(path.with_name("clock.json")),
              send=lambda *_: False, tell=lambda _: None, sizes=Sizes(block=50))
for n in itertools.count():
    stamp = spool.stamp()
    fact = BadgeTapped(id=str(n), at=n, door="front", sealed="s")
    spool.keep(fact, stamp, encode_up(fact, stamp), sent=False)
    if n % 40 == 0:
        while spool._worker._store.total <= n:
            pass
        print(stamp.seq, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 7])
def test_sigkill_loses_nothing_that_was_kept(path: Path, lines: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as said:
        durable = [int(said.readline()) for _ in range(lines)][-1]
        process.kill()
    with bench(path, window=100_000) as it:
        it.spool.linked(up=True)
        wait_for(lambda: it.spool.pending == len(it.hub.heard), "the backlog")
        heard = list(it.hub.heard)
        _, fresh = it.tap()
    kept = {up.stamp.seq for up in heard if up.stamp}
    assert set(range(1, durable + 1)) <= kept
    known = Ranges((n, n) for n in kept)
    for up in heard:
        if isinstance(up.message, Dropped):
            assert up.message.lost == "unused"
            for first, last in up.message.ranges:
                known.add_range(first, last)
    assert list(known.gaps()) == []
    assert fresh > max(n for _, n in known)
