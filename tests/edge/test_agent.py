"""The agent's one loop, turn by turn."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import structlog.testing
from tests.edge.agent_parts import ADA, BACK, EVE, FRONT, NUMBER, Rig, kinds, policy

from kokubus import messages as m
from kokubus.downlinks import PolicyRenewed, Receipt, UnlockDoor
from kokubus.errors import KokubusError
from kokubus.happenings import (
    Beep,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    Light,
    Lock,
    Pattern,
    PolicyChanged,
    Ticked,
    Unlock,
)
from kokubus.messages import By, Clock, Reading
from kokubus_edge import agent
from kokubus_edge.agent import TICK_MS, WANT_EVERY_MS, ReaderTrouble, Readings, Stop, new_tap_id
from kokubus_edge.link import LinkDown, LinkUp
from kokubus_edge.policy_store import PolicyMissing, PolicyStored
from kokubus_edge.spool_orders import CommandKept
from kokubus_edge.trouble import Trouble

SHA = "a" * 64
agents: Any = agent
"""Its imports are replaced here and there."""


@pytest.fixture
def rig() -> Rig:
    """With a policy, and past its first tick."""
    made = Rig(policy())
    made(Ticked())
    return made


# --- a tap -------------------------------------------------------------------------------


def test_a_tap_is_sent_and_kept_and_the_hubs_grant_moves_the_bolt(rig: Rig) -> None:
    (tapped,) = rig.tap()
    assert (tapped.kind, tapped.id) == ("badge_tapped", "t1")
    assert rig.said()[-1]["stamp"]["seq"] == rig.spool.kept[-1][1].seq == 1
    assert rig.wires.deeds(Unlock) == []
    (enforced,) = rig.answer()
    assert (enforced.tap, enforced.by, enforced.granted) == ("t1", By.HUB, True)
    assert rig.wires.deeds(Unlock) == [(FRONT, Unlock(5_000))]
    assert rig.link.sent[-1][0] == "kokubus/v1/dorf-1/up/enforced"


def test_the_bolt_moves_before_anything_is_recorded_of_it(rig: Rig) -> None:
    rig.tap()
    order: list[str] = []

    def perform(door: str, deed: Any) -> None:
        order.append(type(deed).__name__)

    def send(topic: str, payload: bytes, *, bulk: bool = False) -> bool:
        order.append(topic.rsplit("/", maxsplit=1)[-1])
        return True

    rig.wires.perform = perform  # type: ignore[method-assign]
    rig.link.send = send  # type: ignore[method-assign]
    rig.answer()
    assert order == ["Unlock", "Light", "Beep", "enforced"]


def test_a_denial_of_the_hub_stands(rig: Rig) -> None:
    rig.tap(ADA)
    (enforced,) = rig.answer(granted=False)
    assert (enforced.granted, enforced.reason) == (False, "no_booking")
    assert rig.wires.deeds(Unlock) == []
    assert rig.wires.deeds(Light)[-1] == (FRONT, Light(Pattern.DENIED))


@pytest.mark.parametrize("badge", [ADA, EVE])
def test_past_its_deadline_the_door_decides_by_its_policy(rig: Rig, badge: str) -> None:
    rig.tap(badge)
    assert rig(Ticked(), after=399) == []
    (enforced,) = rig(Ticked(), after=1)
    assert (enforced.by, enforced.granted, enforced.policy) == (By.EDGE, badge == ADA, NUMBER)
    assert len(rig.wires.deeds(Unlock)) == (badge == ADA)
    assert rig.answer(granted=badge != ADA) == []
    assert len(rig.wires.deeds(Unlock)) == (badge == ADA)


def test_without_a_link_it_decides_at_once_and_without_a_policy_denies() -> None:
    rig = Rig()
    rig.link.up = False
    _tapped, enforced = rig.tap()
    assert (enforced.by, enforced.granted, enforced.reason) == (By.EDGE, False, "hub_unreachable")
    rig(PolicyChanged(policy()))
    assert rig.tap(tap="t2")[1].granted


def test_a_policys_age_counts(rig: Rig) -> None:
    rig.link.up = False
    rig.policies.age = 59_999
    assert rig.tap()[1].granted
    rig.policies.age = 60_000
    assert rig.tap(tap="t2")[1].reason == "policy_stale"


def test_the_right_door_opens(rig: Rig) -> None:
    rig.tap(door=BACK)
    rig.answer()
    assert rig.wires.deeds(Unlock) == [(BACK, Unlock(5_000))]


def test_an_answer_past_its_expiry_is_a_receipt_and_opens_nothing(rig: Rig) -> None:
    rig.tap()
    assert rig.answer(expires_in=0) == []
    assert (len(rig.spool.receipts), rig.wires.deeds(Unlock)) == (1, [])
    (enforced,) = rig(Ticked(), after=400)
    assert enforced.by == By.EDGE


def test_a_clock_nobody_trusts_judges_no_expiry(rig: Rig) -> None:
    rig.clock.believed = Clock.UNTRUSTED
    rig.tap()
    assert rig.answer(expires_in=-9_000_000)[0].granted


# --- receipts ----------------------------------------------------------------------------


def test_an_answer_is_the_taps_receipt(rig: Rig) -> None:
    rig.tap()
    rig.answer(epoch="e", seq=9)
    assert rig.spool.receipts == [("e", [(9, 9)], [])]


def test_a_hub_that_could_not_record_gives_no_receipt_and_is_not_believed(rig: Rig) -> None:
    rig.tap()
    (enforced,) = rig.answer(granted=False, recorded=False)
    assert rig.spool.receipts == []
    assert (enforced.by, enforced.granted) == (By.EDGE, True)


def test_receipts_go_to_the_spool(rig: Rig) -> None:
    assert rig.hear(Receipt(epoch="e", ranges=((1, 3), (5, 5)), rejected=(4,))) == []
    assert rig.spool.receipts == [("e", [(1, 3), (5, 5)], [4])]


@pytest.mark.parametrize("takes", [True, False])
def test_the_spool_is_told_whether_the_network_took_a_fact(rig: Rig, takes: bool) -> None:
    rig.link.takes = takes
    rig.tap()
    assert rig.spool.kept[-1][2] is takes


def test_a_network_that_raises_loses_no_fact_and_no_number(rig: Rig) -> None:
    rig.link.broken = True
    with structlog.testing.capture_logs():
        rig.tap()
    (fact, stamp, sent) = rig.spool.kept[-1]
    assert (fact.kind, stamp.seq, sent) == ("badge_tapped", 1, False)


def test_every_fact_is_overheard_as_it_is_recorded(rig: Rig) -> None:
    rig.tap()
    rig.answer()
    assert kinds(rig.overheard) == ["badge_tapped", "enforced"]


# --- commands ----------------------------------------------------------------------------


def unlock(rig: Rig, command: str = "c1", door: str = FRONT, expires_in: int = 5_000) -> Any:
    return rig.hear(UnlockDoor(command=command, door=door), expires_in)


def test_a_command_moves_the_bolt_only_once_its_id_is_on_disk(rig: Rig) -> None:
    assert unlock(rig) == []
    assert rig.spool.commands == [("c1", rig.clock.now() + 5_000)]
    assert rig.wires.deeds(Unlock) == []
    (done,) = rig(CommandKept("c1", fresh=True))
    assert (done.outcome, rig.wires.deeds(Unlock)) == ("started", [(FRONT, Unlock(5_000))])


@pytest.mark.parametrize(
    ("fresh", "after", "clock", "outcome"),
    [
        (False, 0, Clock.SYNCED, "repeated"),
        (True, 5_000, Clock.SYNCED, "expired"),
        (True, 0, Clock.UNTRUSTED, "refused"),
    ],
)
def test_a_command_that_is_not_carried_out_says_so(
    rig: Rig, fresh: bool, after: int, clock: Clock, outcome: str
) -> None:
    unlock(rig)
    rig.clock.believed = clock
    (done,) = rig(CommandKept("c1", fresh), after=after)
    assert (done.outcome, rig.wires.deeds(Unlock)) == (outcome, [])


def test_a_command_nobody_gave_or_given_twice_moves_nothing_more(rig: Rig) -> None:
    assert rig(CommandKept("c0", fresh=True)) == []
    unlock(rig)
    unlock(rig)
    rig(CommandKept("c1", fresh=True))
    assert rig(CommandKept("c1", fresh=False)) == []
    assert len(rig.wires.deeds(Unlock)) == 1


def test_a_command_for_a_door_of_another_device_moves_nothing(rig: Rig) -> None:
    unlock(rig, door="dorf-attic")
    assert rig(CommandKept("c1", fresh=True)) == []
    assert rig.wires.deeds(Unlock) == []


# --- policies ----------------------------------------------------------------------------


def test_what_is_said_of_policies_goes_to_their_store(rig: Rig) -> None:
    renewed = PolicyRenewed(number=NUMBER, sha256=SHA, issued_at=1)
    rig.hear(renewed)
    assert [down.message for down in rig.policies.taken] == [renewed]


def test_a_policy_on_disk_is_reported(rig: Rig) -> None:
    (applied,) = rig(PolicyStored(NUMBER, SHA))
    assert (applied.kind, applied.number, applied.sha256) == ("policy_applied", NUMBER, SHA)


def test_a_gap_is_told_now_and_then_not_at_every_message(rig: Rig) -> None:
    for after in (0, 1, WANT_EVERY_MS - 2):
        rig(PolicyMissing(NUMBER), after=after)
    wishes = [said for said in rig.said() if said["kind"] == "policy_wanted"]
    assert (len(wishes), rig.link.fetched) == (1, 1)
    assert wishes[0]["have"] == {"epoch": 1, "n": 7}
    rig(PolicyMissing(None), after=1)
    assert (len(rig.link.sent), rig.link.fetched) == (2, 2)
    assert rig.spool.kept == []


def test_once_linked_the_policy_is_fetched_and_the_backlog_begins(rig: Rig) -> None:
    rig(LinkUp(resumed=False))
    rig(LinkDown("why"))
    assert (rig.link.fetched, rig.spool.links) == (1, [True, False])


def test_a_new_policy_holds_at_every_door(rig: Rig) -> None:
    other = policy()
    rig(PolicyChanged(other))
    assert {door.policy for door in rig.agent.doors.values()} == {other}


# --- what else is told -------------------------------------------------------------------


def test_troubles_readers_and_readings_become_facts(rig: Rig) -> None:
    (full,) = rig(Trouble("disk_full", active=True, detail="no space"))
    assert isinstance(full, m.DeviceAlarmed)
    assert (full.alarm, full.active, full.door, full.detail) == (
        "disk_full", True, None, "no space",
    )  # fmt: skip
    (dead,) = rig(ReaderTrouble(FRONT, dead=True, detail="no answer"))
    assert (dead.alarm, dead.active, dead.door) == ("reader_dead", True, FRONT)
    (alive,) = rig(ReaderTrouble(FRONT, dead=False, detail=""))
    assert (alive.alarm, alive.active) == ("reader_dead", False)
    reading = Reading(sensor="dorf-co2", quantity="co2", at=1, value=500.0)
    (read,) = rig(Readings((reading,)))
    assert read.readings == (reading,)


def test_a_door_reacts_to_its_own_leaf_and_button(rig: Rig) -> None:
    assert kinds(rig(ContactClosed(FRONT))) == ["contact_changed"]
    assert kinds(rig(ContactOpened(FRONT))) == ["contact_changed", "door_forced"]
    assert kinds(rig(ExitPressed(BACK))) == ["exit_requested"]
    assert rig(ContactOpened("dorf-attic")) == []


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
    assert [log["event"] for log in logs] == ["act_failed", "act_failed"]
    del rig.wires.broken[Unlock]
    rig.tap(tap="t3")
    facts = rig.answer("t3")
    assert [(f.alarm, f.active) for f in facts if isinstance(f, m.DeviceAlarmed)] == [
        ("lock_failed", False)
    ]


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
