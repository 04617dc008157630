"""The worker: steps that fail alone, one leader, and the whole of it in a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.broker import PATIENCE_S, start_mosquitto
from tests.hub.policy_world import NOW, UID, Broker, World, world

from kokubus_hub import database, health, leading, models
from kokubus_hub.bookings import reconcile
from kokubus_hub.models import table
from kokubus_hub.people import passes
from kokubus_hub.pulse import Pulse
from kokubus_hub.settings import Settings
from kokubus_hub.work import Step, Work

pytestmark = pytest.mark.slow

POLICY = table(models.Policy)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def issued(hub: World) -> list[Any]:
    with database.reading(hub.engine) as connection:
        return list(connection.execute(select(POLICY)))


def work(hub: World, folder: Path) -> Work:
    settings = Settings(data_dir=folder)
    return Work(hub.engine, hub.keyring, settings, Broker(hub.keyring))


def test_a_turn_delivers_and_says_it_is_alive(hub: World, tmp_path: Path) -> None:
    made = work(hub, tmp_path)
    assert not health.alive(Settings(data_dir=tmp_path), "work")
    made.turn(NOW, moved=False)
    assert len(issued(hub)) == 2, "the first turn follows whatever has moved"
    assert health.alive(Settings(data_dir=tmp_path), "work")


def test_a_turn_in_which_nothing_moved_follows_nothing(hub: World, tmp_path: Path) -> None:
    made = work(hub, tmp_path)
    made.turn(NOW, moved=True)
    hub.book(hub.member(UID), NOW, NOW + 1000)
    hub.change()
    made.turn(NOW, moved=False)
    assert len(issued(hub)) == 2
    made.turn(NOW, moved=True)
    assert len(issued(hub)) == 4


def test_a_change_that_could_not_be_followed_is_at_the_next_turn(
    hub: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = work(hub, tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("kokubus_hub.delivery.changes.latest", fail)
        made.turn(NOW, moved=True)
    assert issued(hub) == []
    made.turn(NOW, moved=False)
    assert len(issued(hub)) == 2


def test_a_repair_that_left_some_goes_on_at_the_next_turn(
    hub: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, lacking = work(hub, tmp_path), [reconcile.A_STEP + 1, reconcile.A_STEP, 0]
    monkeypatch.setattr(reconcile, "repair", lambda *_: lacking.pop(0))
    for _ in range(5):
        made.turn(NOW, moved=False)
    assert lacking == [0], "the rest is looked for half a minute later"


def test_every_step_runs_on_a_hub_with_nothing_to_do(hub: World, tmp_path: Path) -> None:
    made = work(hub, tmp_path)
    made.turn(NOW, moved=True)
    assert [step.failing for step in made.steps] == [""] * len(made.steps)


def fail(*_: object) -> int:
    raise RuntimeError("this step is broken")


def test_a_step_waits_for_its_time_and_no_longer_after_the_clock_was_set_back() -> None:
    done: list[int] = []
    step = Step("x", done.append, 1000)
    for now in (NOW, NOW + 999, NOW + 1000, NOW - 50_000):
        step.turn(now)
    assert done == [NOW, NOW + 1000, NOW - 50_000]


def test_a_step_that_fails_says_so_and_is_tried_again() -> None:
    step = Step("x", fail, 1000)
    assert not step.turn(NOW)
    assert "broken" in step.failing
    step.do = lambda _: None
    assert step.turn(NOW + 1000)
    assert step.failing == ""


def test_the_pulse_tells_of_others_writing(hub: World) -> None:
    with Pulse(hub.engine) as pulse:
        assert pulse.moved(), "nobody knows what was before"
        assert not pulse.moved()
        hub.change()
        assert pulse.moved()
        assert not pulse.moved()


def test_one_leads_and_the_next_takes_over(hub: World, tmp_path: Path) -> None:
    lock = tmp_path / "run" / "work.lock"
    with leading.candidacy(hub.engine, lock) as second:
        with leading.candidacy(hub.engine, lock) as first:
            assert first.held()
            assert first.held()
            assert not second.held()
        assert second.held()


def test_the_worker_as_a_process(hub: World, tmp_path: Path) -> None:
    (tmp_path / "kokubus.db").symlink_to(tmp_path / "hub.db")
    broker_dir = tmp_path / "broker"
    broker_dir.mkdir()
    with start_mosquitto(broker_dir) as broker:
        environ = os.environ | {
            "KOKUBUS_HUB_DATA_DIR": str(tmp_path),
            "KOKUBUS_HUB_MQTT_PORT": str(broker.port),
        }
        code = "from kokubus_hub.cli import main; raise SystemExit(main(['work']))"
        process = subprocess.Popen([sys.executable, "-c", code], env=environ)
        try:
            wait(lambda: len(issued(hub)) >= 2)
            began = int(time.time() * 1000)
            hub.book(hub.member(UID), began, began + 3_600_000)
            hub.change()
            wait(lambda: len(issued(hub)) >= 4)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
            process.wait()


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def test_passes_are_looked_for_only_after_a_change(
    hub: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = work(hub, tmp_path), []
    wanted = passes.wanted
    monkeypatch.setattr(passes, "wanted", lambda *given: asked.append(1) or wanted(*given))
    guest = hub.add(models.Member, slug="m-gast", name="Gast", kind="guest")
    for turn, calls in ((0, 1), (2_000, 1)):
        made.turn(NOW + turn, moved=False)
        assert len(asked) == calls
    hub.book(guest, NOW, NOW + 3_600_000)
    hub.change()
    made.turn(NOW + 4_000, moved=True)
    with database.reading(hub.engine) as connection:
        assert len(connection.execute(select(table(models.GuestPass))).all()) == 1
    made.turn(NOW + 6_000, moved=False)
    calls = len(asked)
    made.turn(NOW + 8_000, moved=False)
    assert len(asked) == calls
