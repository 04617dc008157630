"""A policy is never younger than it is, and a damaged or full disk opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.fake_clock import FakeClock
from tests.edge.policy_bench import LIFE_MS, NEW, OLD, Door, stored

from kokubus.downlinks import PolicySnapshot
from kokubus.happenings import PolicyChanged
from kokubus.messages import PolicyNumber
from kokubus.policy import fingerprint
from kokubus.wire import Down
from kokubus_edge import policy_file
from kokubus_edge.atomic import write_atomically
from kokubus_edge.policy_file import REMEMBER_MS
from kokubus_edge.policy_store import PolicyStore, PolicyStored
from kokubus_edge.trouble import Trouble


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "data")


def test_pulling_the_plug_revives_nothing(door: Door) -> None:
    """A clock that stands still while off, and starts where it stopped: uptime still counts."""
    door.snapshot(1)
    for boot in range(10):
        door.clock.pass_ms(REMEMBER_MS)
        door.store.remember()
        door = door.power_cut(boot, off_ms=-REMEMBER_MS)
    assert door.store.age_ms() >= 20 * REMEMBER_MS


def test_quick_reboots_age_a_policy_too(door: Door) -> None:
    door.snapshot(1)
    for boot in range(10):
        door.clock.pass_ms(1_000)
        door = door.power_cut(boot, off_ms=-1_000)
    assert door.store.age_ms() >= 10 * REMEMBER_MS


def test_the_wall_clock_counts_where_it_says_more(door: Door) -> None:
    door.snapshot(1)
    assert door.power_cut(1, off_ms=LIFE_MS).store.age_ms() == LIFE_MS


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["run", "off", "agent"]), st.integers(0, LIFE_MS)), max_size=8
    )
)
def test_age_never_shrinks_without_a_renewal(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    door = Door(tmp_path_factory.mktemp("door"))
    door.snapshot(1)
    age = 0
    for number, (step, ms) in enumerate(steps):
        if step == "run":
            door.clock.pass_ms(ms)
            door.store.remember()
        elif step == "off":
            door = door.power_cut(number, off_ms=-(ms % REMEMBER_MS))
        else:
            door = door.restart()
        assert door.store.age_ms() >= age
        age = door.store.age_ms()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b'"m-1"', b'"m-2"'),
        lambda _: b"",
        lambda _: b"[]",
        lambda text: text.replace(b"lifetime_ms", b"lifetime_mx"),
    ],
)
def test_a_damaged_file_is_refused_reported_and_replaced(
    door: Door, damage: Callable[[bytes], bytes]
) -> None:
    door.snapshot(3, NEW)
    file = door.folder / "policy.json"
    broken = damage(file.read_bytes())
    file.write_bytes(broken)
    again = door.restart()
    assert again.store.policy is None
    assert [(t.alarm, t.active) for t in again.told] == [("policy_damaged", True)]
    assert (door.folder / "policy.json.damaged").read_bytes() == broken
    assert again.snapshot(3, NEW)[-2:] == [stored(3, NEW), Trouble("policy_damaged", active=False)]


def test_a_damaged_age_leaves_the_policy_as_old_as_it_was_issued(door: Door) -> None:
    door.snapshot(1)
    door.clock.pass_ms(10 * REMEMBER_MS)
    door.renewed()
    (door.folder / "policy-age.json").write_bytes(b"{")
    assert door.restart().store.age_ms() == 10 * REMEMBER_MS


def test_a_full_disk_delays_the_report_not_the_policy(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(policy_file, "write_atomically", full)
        changed, trouble = door.snapshot(1)
    assert isinstance(changed, PolicyChanged)
    assert (trouble.alarm, trouble.active) == ("policy_not_stored", True)
    door.store.remember()
    assert door.told[-2:] == [stored(1, OLD), Trouble("policy_not_stored", active=False)]
    assert door.restart().store.have == PolicyNumber(1, 1)


def test_a_write_that_was_cut_short_leaves_the_old_policy(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.snapshot(1)

    def cut(*_: Any) -> None:
        raise OSError(5, "power")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", cut)
        assert isinstance(door.snapshot(2, NEW)[-1], Trouble)
    assert door.restart().store.have == PolicyNumber(1, 1)


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_the_loop_does_not_wait_for_the_disk(
    tmp_path: Path, worker: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    go_on, clock = Event(), FakeClock()
    write = write_atomically
    monkeypatch.setattr(policy_file, "write_atomically", lambda *a: (go_on.wait(20), write(*a)))
    store = PolicyStore(tmp_path, clock=clock, tell=told.append, disk=worker)
    at = clock.now()
    message = PolicySnapshot(
        number=PolicyNumber(1, 1), sha256=fingerprint(OLD), issued_at=at, content=OLD
    )
    store.take(Down("id", at, at + LIFE_MS, message))
    store.remember()
    assert not any(isinstance(happening, PolicyStored) for happening in told)
    go_on.set()
    worker.submit(lambda: None).result(20)
    assert stored(1, OLD) in told
