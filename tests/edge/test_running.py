"""A whole agent: real parts wired as on a Raspberry Pi, mock pins, the emulated chip, no hub."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from tests.edge.running_agent import at_work, enrolled, store_policy
from tests.edge.simulated_device import CO2, FRONT, GUEST, PIR, STRANGER, STUDIO

from kokubus.errors import KokubusError, SettingsError
from kokubus.messages import By
from kokubus.site import Hid, Wiegand
from kokubus_edge import running as module
from kokubus_edge.agent import Stop
from kokubus_edge.clock import DeviceClock
from kokubus_edge.running import Running
from kokubus_edge.settings import Settings

PATIENCE_S = 60
running: Any = module
"""Its imports are replaced here and there."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A device's settings; afterwards none of its threads is left."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    before = set(threading.enumerate())
    with structlog.testing.capture_logs():
        yield enrolled(tmp_path)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), thread.name


def with_policy(made: Settings) -> Settings:
    made.data.mkdir()
    store_policy(made, DeviceClock(made.data / "clock.json"))
    return made


def test_without_a_hub_a_stored_policy_decides_at_once(made: Settings) -> None:
    with at_work(with_policy(made)) as door:
        answer = door.tap(GUEST)
        assert (answer["granted"], answer["by"], answer["reason"]) == (True, "edge", "entitled")
        assert door.await_fact("passage_seen").tap == answer["tap"]
        refused = door.tap(STRANGER, STUDIO)
        assert (refused["granted"], refused["reason"]) == (False, "badge_unknown")
    enforced = door.of("enforced")
    assert {one.by for one in enforced} == {By.EDGE}
    assert door.of("badge_tapped")[0].door == FRONT


def test_without_a_hub_and_a_policy_nobody_enters(made: Settings) -> None:
    with at_work(made) as door:
        answer = door.tap(GUEST)
        assert (answer["granted"], answer["reason"]) == (False, "hub_unreachable")
        state = door.ask(do="state")
    assert state["doors"][FRONT]["unlocked"] is False
    assert not (made.data / "relays.log").exists()  # no relay has ever moved


def test_what_was_recorded_is_on_disk_and_holds_no_uid(made: Settings) -> None:
    with at_work(with_policy(made)) as door:
        door.tap(GUEST, walk=False)
        recorded = len(door.facts)
    again = Running(made)
    with again:
        spool = again.agent._hands.spool
        for _ in range(PATIENCE_S * 20):  # it opens its file in a thread of its own
            if spool.pending >= recorded:
                break
            threading.Event().wait(0.05)
        assert spool.pending >= recorded
    stored = b"".join(path.read_bytes() for path in made.data.iterdir() if path.is_file())
    assert GUEST.encode() not in stored
    assert bytes.fromhex(GUEST) not in stored


def test_leaves_buttons_and_force_are_facts(made: Settings) -> None:
    with at_work(made) as door:
        door.ask(do="exit", door=FRONT, seconds=1.0)
        passed = door.await_fact("passage_seen")
        assert (passed.exit_requested, passed.side) == (True, "out")
        door.ask(do="force", door=FRONT, seconds=1.0)
        assert door.await_fact("door_forced").door == FRONT


def test_sensors_are_read(made: Settings) -> None:
    with at_work(made) as door:
        door.ask(do="readings", values={CO2: 640.0, PIR: 1.0})
        with door.news:
            assert door.news.wait_for(
                lambda: (
                    {CO2, PIR} <= {r.sensor for f in door.of("sensors_read") for r in f.readings}
                ),
                PATIENCE_S,
            )


def test_when_it_ends_its_bolts_are_let_go(made: Settings) -> None:
    with at_work(with_policy(made)) as door:
        door.tap(GUEST, walk=False)
        hardware: Any = door.running.agent._hands.wires
        assert hardware.drawn(FRONT)
    assert not hardware.drawn(FRONT)


def test_bolts_are_let_go_before_anything_else_that_might_hang(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for part in (running.Hardware, running.Link, running.Spool, running.ReaderThread):
        end = "stop" if part is running.ReaderThread else "close"
        monkeypatch.setattr(part, end, _noted(order, part.__name__, getattr(part, end)))
    with at_work(made):
        pass
    assert order[0] == "Hardware"
    assert set(order) == {"Hardware", "Link", "Spool", "ReaderThread"}


def _noted(order: list[str], name: str, end: Any) -> Any:
    def noted(self: Any) -> Any:
        order.append(name)
        return end(self)

    return noted


@pytest.mark.parametrize("part", ["_read_badges", "_sense", "_remember"])
def test_what_cannot_be_built_leaves_nothing_behind(
    made: Settings, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    closed: list[str] = []
    hardware = running.Hardware

    class Watched(hardware):  # type: ignore[misc, valid-type]
        def close(self) -> None:
            closed.append("hardware")
            super().close()

    monkeypatch.setattr(running, "Hardware", Watched)
    monkeypatch.setattr(Running, part, _fail)
    with pytest.raises(KokubusError, match="no such part"), Running(made):
        pass
    assert closed == ["hardware"]


def _fail(*_: object) -> None:
    raise KokubusError("no such part")


def test_pins_must_be_asked_for(made: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    with pytest.raises(SettingsError, match="ask for both"), Running(made):
        pass


def test_another_devices_identity_is_refused(made: Settings) -> None:
    identity = made.identity / "identity.json"
    identity.write_text(identity.read_text().replace("dorf-1", "dorf-2"))
    with pytest.raises(SettingsError, match="dorf-2"):
        Running(made)


def test_run_tells_systemd_and_ends_at_a_signal(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(running.systemd, "notify", told.append)
    monkeypatch.setattr(running.signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(
        running.log, "info", lambda *_, **__: handlers[signal.SIGTERM](signal.SIGTERM, None)
    )
    running.run(made)
    assert set(handlers) == {signal.SIGTERM, signal.SIGINT}
    assert (told[0], told[-1]) == ("READY=1", "STOPPING=1")


def test_a_device_may_have_no_readers_and_no_sensors(made: Settings) -> None:
    door = made.site.doors[0].model_copy(update={"reader": ()})
    site = made.site.model_copy(update={"doors": (door,), "sensors": ()})
    with at_work(replace(made, site=site)) as working:
        working.ask(do="force", door=FRONT, seconds=1.0)
        assert working.await_fact("door_forced").door == FRONT
        working.running.inbox.put(Stop())


def with_reader(made: Settings, reader: Wiegand | Hid) -> Settings:
    """One more reader at the first door."""
    first = made.site.doors[0]
    doors = (first.model_copy(update={"reader": (*first.reader, reader)}), *made.site.doors[1:])
    return replace(made, site=made.site.model_copy(update={"doors": doors}))


def test_a_pin_at_a_keypad_is_decided_like_a_badge_and_stored_nowhere(made: Settings) -> None:
    made = with_reader(made, Wiegand(kind="wiegand", data0=18, data1=19))
    with at_work(made) as door:
        door.ask(do="type", door=FRONT, keys="471108#")
        tapped, enforced = door.await_fact("badge_tapped"), door.await_fact("enforced")
        assert (enforced.tap, enforced.reason) == (tapped.id, "hub_unreachable")
        readers = {name: thread.health.ok for name, thread in door.running._readers.items()}
        assert readers[f"{FRONT} wiegand in"]
    stored = b"".join(path.read_bytes() for path in made.data.iterdir() if path.is_file())
    assert b"471108" not in stored


def test_a_reader_that_is_not_there_is_an_alarm_beside_one_that_is(made: Settings) -> None:
    made = with_reader(made, Hid(kind="hid", path="/dev/input/by-id/none"))
    with at_work(made) as door:
        with door.news:
            assert door.news.wait_for(
                lambda: [a for a in door.of("device_alarmed") if a.active], PATIENCE_S
            )
        (dead,) = [alarm for alarm in door.of("device_alarmed") if alarm.active]
        assert (dead.alarm, dead.door) == ("reader_dead", FRONT)
        assert "hid in: the USB reader" in dead.detail
        assert door.tap(GUEST)["reason"] == "hub_unreachable"  # the other reader reads
