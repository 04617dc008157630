"""The agent's loop itself, and what it does when something fails."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import structlog.testing
from tests.edge.agent_parts import BACK, FRONT, NUMBER, Rig, kinds, policy
from tests.edge.fake_clock import FakeClock

from kokubus import messages as m
from kokubus.errors import KokubusError
from kokubus.happenings import (
    Beep,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    HoldBack,
    Light,
    Lock,
    Ticked,
    Unlock,
)
from kokubus.messages import Clock, Reading
from kokubus.rights import Content, DoorRules, Mode, ModeKind, Policy
from kokubus_edge import agent
from kokubus_edge.agent import TICK_MS, ReaderTrouble, Readings, Stop, new_tap_id
from kokubus_edge.health import Health
from kokubus_edge.trouble import Trouble

agents: Any = agent
"""Its imports are replaced here and there."""


@pytest.fixture
def rig() -> Rig:
    """With a policy, and past its first tick."""
    made = Rig(policy())
    made(Ticked())
    return made


# --- what else is told -------------------------------------------------------------------


def test_troubles_readers_and_readings_become_facts(rig: Rig) -> None:
    (full,) = rig(Trouble("disk_full", active=True, detail="no space"))
    assert isinstance(full, m.DeviceAlarmed)
    assert (full.alarm, full.active, full.door, full.detail) == (
        "disk_full", True, None, "no space",
    )  # fmt: skip
    (dead,) = rig(ReaderTrouble(FRONT, "mfrc522 in", Health(ok=False, problem="no answer")))
    assert (dead.alarm, dead.active, dead.door) == ("reader_dead", True, FRONT)
    (alive,) = rig(ReaderTrouble(FRONT, "mfrc522 in", Health(ok=True)))
    assert (alive.alarm, alive.active) == ("reader_dead", False)
    reading = Reading(sensor="dorf-co2", quantity="co2", at=1, value=500.0)
    (read,) = rig(Readings((reading,)))
    assert read.readings == (reading,)


@pytest.mark.parametrize("pending", [0, 3])
def test_the_end_of_an_alarm_does_not_overtake_its_begin(rig: Rig, pending: int) -> None:
    """In a backlog the hub would hear the end first, and let the alarm stand for good."""
    rig.spool.pending = pending
    rig(ReaderTrouble(FRONT, "mfrc522 in", Health(ok=False, problem="no answer")))
    rig(ReaderTrouble(FRONT, "mfrc522 in", Health(ok=True)))
    assert [sent for _, _, sent in rig.spool.kept[-2:]] == [True, pending == 0]
    assert len(rig.link.sent) == len(rig.spool.kept) - (pending > 0)


def test_a_door_reacts_to_its_own_leaf_and_button(rig: Rig) -> None:
    assert kinds(rig(ContactClosed(FRONT))) == ["contact_changed"]
    assert kinds(rig(ContactOpened(FRONT))) == ["contact_changed", "door_forced"]
    assert kinds(rig(ExitPressed(BACK))) == ["exit_requested"]
    assert rig(ContactOpened("dorf-attic")) == []


def test_what_a_door_does_is_a_line_each_and_nobodys_badge_is_in_it(rig: Rig) -> None:
    with structlog.testing.capture_logs() as logs:
        rig.tap()
        rig.answer()
        rig(ContactOpened(FRONT))
        rig(Readings((Reading(sensor="dorf-co2", quantity="co2", at=1, value=600.0),)))
        rig.tap("eve", "t2", BACK)
        rig.answer("t2", granted=False)
    assert [(line["event"], line["door"]) for line in logs] == [
        ("enforced", FRONT), ("passage_seen", FRONT), ("enforced", BACK),
    ]  # fmt: skip
    told = {name: logs[0][name] for name in ("tap", "by", "granted", "reason", "policy")}
    assert told == {
        "tap": "t1", "by": "hub", "granted": True, "reason": "booked", "policy": str(NUMBER),
    }  # fmt: skip
    assert not any(secret in str(logs) for secret in ("'ada'", "'eve'", "sealed"))


def test_each_fact_of_one_turn_has_its_own_id_and_number(rig: Rig) -> None:
    rig.link.up = False
    for tap, door in (("t1", FRONT), ("t2", BACK)):
        rig.tap(tap=tap, door=door)
    rig(Ticked(), after=9_000)
    ids = [fact.id for fact, _, _ in rig.spool.kept]
    numbers = [stamp.seq for _, stamp, _ in rig.spool.kept]
    assert len(set(ids)) == len(ids) > 4
    assert numbers == list(range(1, len(numbers) + 1))


# --- the loop ----------------------------------------------------------------------------


def test_a_tick_a_second_looks_after_the_rest(rig: Rig) -> None:
    assert (rig.alive, rig.wires.refreshed, rig.spool.watched) == (1, 1, 1)
    rig(ContactClosed(FRONT), after=TICK_MS - 1)
    assert rig.alive == 1
    rig(ContactOpened(FRONT), after=1)
    assert (rig.alive, rig.wires.refreshed, rig.spool.watched) == (2, 2, 2)


def test_it_waits_until_the_next_deadline_at_most(rig: Rig) -> None:
    assert rig.agent._patience_s() == pytest.approx(1.0)
    rig.clock.pass_ms(100)
    rig.tap()
    assert rig.agent._patience_s() == pytest.approx(0.4)
    rig.clock.pass_ms(450)
    assert rig.agent._patience_s() == 0


def test_the_loop_takes_what_comes_until_it_is_stopped(rig: Rig) -> None:
    for happening in (ContactClosed(FRONT), object(), ContactOpened(FRONT), Stop(), Ticked()):
        rig.inbox.put(happening)
    with structlog.testing.capture_logs():
        rig.agent.run()
    assert kinds([fact for fact, _, _ in rig.spool.kept]) == [
        "contact_changed", "contact_changed", "door_forced",
    ]  # fmt: skip
    assert rig.inbox.qsize() == 1


def test_an_idle_loop_ticks(rig: Rig) -> None:
    """With nobody at the door it wakes by itself: a pulse ends, a watchdog is fed."""
    moved = threading.Event()
    rig.agent._alive = moved.set
    rig.clock.pass_ms(TICK_MS)
    thread = threading.Thread(target=rig.agent.run)
    thread.start()
    assert moved.wait(30)
    rig.inbox.put(Stop())
    thread.join(30)
    assert not thread.is_alive()


# --- when something fails ----------------------------------------------------------------


@pytest.mark.parametrize("error", [KokubusError("off-timer has ended"), OSError("EIO")])
def test_a_bolt_that_does_not_obey_raises_an_alarm_and_clears_it(
    rig: Rig, error: Exception
) -> None:
    rig.wires.broken[Unlock] = error
    with structlog.testing.capture_logs() as logs:
        for tap in ("t1", "t2"):
            rig.tap(tap=tap)
            rig.answer(tap)
    alarms = [fact for fact, _, _ in rig.spool.kept if isinstance(fact, m.DeviceAlarmed)]
    assert [(a.alarm, a.active, a.door) for a in alarms] == [("lock_failed", True, FRONT)]
    assert str(error) in alarms[0].detail
    failures = [log["event"] for log in logs if log["log_level"] == "error"]
    assert failures == ["act_failed", "act_failed"]
    del rig.wires.broken[Unlock]
    rig.tap(tap="t3")
    facts = rig.answer("t3")
    assert [(f.alarm, f.active) for f in facts if isinstance(f, m.DeviceAlarmed)] == [
        ("lock_failed", False)
    ]


def test_a_lock_that_failed_before_the_start_and_not_since_is_told_to_work(rig: Rig) -> None:
    """The relay was replaced, with the power off: nobody else would end its alarm."""
    rig.wires.broken[Unlock] = OSError("no such pin")
    rig.tap()
    rig.answer()
    facts = rig(Ticked(), after=10 * 60_000)
    over = [one for one in facts if isinstance(one, m.DeviceAlarmed) and one.door]
    assert [(one.alarm, one.active, one.door) for one in over] == [("lock_failed", False, BACK)]
    assert not [one for one in rig(Ticked(), after=60_000) if isinstance(one, m.DeviceAlarmed)]


def test_a_lamp_that_fails_is_no_failed_lock(rig: Rig) -> None:
    rig.wires.broken = {Light: OSError("EIO"), Beep: OSError("EIO")}
    rig.tap()
    with structlog.testing.capture_logs():
        assert kinds(rig.answer()) == ["enforced"]
    assert rig.wires.deeds(Unlock) == [(FRONT, Unlock(5_000))]


def test_a_record_that_fails_keeps_no_bolt_drawn(rig: Rig) -> None:
    """The facts of a turn come before its lock: one that cannot be written must not stop it."""
    rig(ContactClosed(FRONT))
    rig.tap()
    rig.answer()
    rig(ContactOpened(FRONT), after=500)
    rig.spool.broken = True
    with structlog.testing.capture_logs():
        rig(ContactClosed(FRONT), after=500)
    assert rig.wires.deeds(Lock) == [(FRONT, Lock())]


def test_a_door_that_cannot_react_is_locked_and_no_other_door_is_held_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.tap()
    rig.tap(tap="t2", door=BACK)
    react = agents.react

    def fail(door: Any, *more: Any) -> Any:
        if door.spec.id == FRONT:
            raise ZeroDivisionError
        return react(door, *more)

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
        patch.setattr(agents, "react", fail)
        facts = rig(Ticked(), after=400)
    assert [(fact.kind, fact.door) for fact in facts] == [("enforced", BACK)]
    assert rig.wires.deeds(Lock) == [(FRONT, Lock())]
    assert logs[0]["event"] == "door_failed"
    assert rig.agent.doors[FRONT].pending == ()
    rig.tap(tap="t3")
    assert rig.answer("t3")[0].granted
    rig.tap(tap="t1")
    assert rig.answer("t1") == []


def test_a_turn_that_raises_stops_neither_the_loop_nor_its_ticks(rig: Rig) -> None:
    class Broken:
        @property
        def door(self) -> str:
            raise RuntimeError

    with structlog.testing.capture_logs() as logs:
        rig(Broken())
    assert [log["event"] for log in logs] == ["turn_failed"]
    assert rig(ContactClosed(FRONT), after=TICK_MS) != []
    assert rig.alive == 2


def test_a_taps_id_tells_when_it_was_made(rig: Rig) -> None:
    first = new_tap_id(rig.clock)
    rig.clock.pass_ms(1)
    assert first < new_tap_id(rig.clock)
    assert int(first.replace("-", "")[:12], 16) == rig.clock.now() - 1


def test_an_instant_from_before_the_clock_was_put_right_is_never_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel learns the time in the middle of a turn: the hour before it opens no door."""
    wrong = FakeClock().wall
    party = Mode(kind=ModeKind.FREE_PASSAGE, start=wrong - 1_000, end=wrong + 1_000)
    rig = Rig(Policy(Content(doors={FRONT: DoorRules(rooms=("hall",), modes=(party,))})))
    rig.clock.believed = Clock.UNTRUSTED

    def now() -> int:
        at, rig.clock.wall = rig.clock.wall, wrong + 86_400_000
        rig.clock.believed = Clock.SYNCED
        return at

    monkeypatch.setattr(rig.clock, "now", now)
    rig(Ticked())
    assert not rig.wires.deeds(HoldBack)
