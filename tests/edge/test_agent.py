"""The agent's one loop, turn by turn."""

from __future__ import annotations

from typing import Any

import pytest
import structlog.testing
from tests.edge.agent_parts import ADA, BACK, EVE, FRONT, NUMBER, Rig, kinds, policy

from kokubus.downlinks import PolicyRenewed, Receipt, TimeTold, UnlockDoor
from kokubus.happenings import (
    CodeEntered,
    CodeJudged,
    Light,
    Pattern,
    PolicyChanged,
    Ticked,
    Unlock,
)
from kokubus.messages import By, Clock, CodeOutcome, Side
from kokubus_edge.link import LinkDown, LinkUp
from kokubus_edge.minding import WANT_AGAIN_MS, WANT_EVERY_MS, WORD_MS
from kokubus_edge.policy_store import PolicyMissing, PolicyStored
from kokubus_edge.spool_orders import CommandKept
from kokubus_edge.time_asking import EVERY_MS

SHA = "a" * 64


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
    with structlog.testing.capture_logs() as logs:
        assert rig.answer(expires_in=0) == []
    assert [(line["event"], line["late_ms"]) for line in logs] == [("answer_expired", 0)]
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
    (wish,) = wishes(rig)
    assert wish["have"] == {"epoch": 1, "n": 7}
    assert rig.link.fetched == 0
    assert rig.spool.kept == []


def test_whoever_was_not_helped_by_a_difference_fetches_all_of_it(rig: Rig) -> None:
    rig(PolicyMissing(NUMBER))
    rig(PolicyMissing(NUMBER), after=WANT_EVERY_MS)
    assert (len(wishes(rig)), rig.link.fetched) == (2, 1)
    rig(PolicyMissing(NUMBER), after=WANT_AGAIN_MS)
    assert (len(wishes(rig)), rig.link.fetched) == (3, 1)


def wishes(rig: Rig) -> list[dict[str, Any]]:
    return [said for said in rig.said() if said["kind"] == "policy_wanted"]


def test_once_linked_the_backlog_begins_and_a_policy_is_not_fetched_again(rig: Rig) -> None:
    rig(LinkUp(resumed=False))
    rig(LinkDown("why"))
    assert (rig.link.fetched, rig.spool.links) == (0, [True, False])


def test_a_door_without_a_policy_fetches_it_once_linked() -> None:
    rig = Rig()
    rig(LinkUp(resumed=False))
    assert rig.link.fetched == 1


def test_a_hub_that_says_nothing_of_the_policy_is_asked(rig: Rig) -> None:
    rig(LinkUp(resumed=True))
    rig(Ticked(), after=WORD_MS - 1)
    assert wishes(rig) == []
    rig(Ticked(), after=1_000)
    rig(Ticked(), after=WORD_MS)
    assert len(wishes(rig)) == 1


def test_a_hub_that_stands_by_the_policy_is_not(rig: Rig) -> None:
    rig(LinkUp(resumed=True))
    rig.hear(PolicyRenewed(number=NUMBER, sha256=SHA, issued_at=rig.clock.now()))
    rig(Ticked(), after=2 * WORD_MS)
    assert wishes(rig) == []


def test_a_door_that_does_not_know_the_time_asks_until_it_was_told(rig: Rig) -> None:
    rig.clock.believed = Clock.UNTRUSTED
    (alarm,) = rig(Ticked(), after=1_000)
    assert (alarm.alarm, alarm.active) == ("clock_untrusted", True)
    rig(Ticked(), after=EVERY_MS[Clock.UNTRUSTED])
    first, second = (said for said in rig.said() if said["kind"] == "time_wanted")
    assert first["nonce"] != second["nonce"]
    asked = rig.clock.mono()
    rig.hear(TimeTold(nonce=first["nonce"]))
    assert rig.clock.heard is None
    rig.clock.pass_ms(300)
    rig.hear(TimeTold(nonce=second["nonce"]))
    assert rig.clock.heard == (rig.clock.now(), asked)
    rig.clock.heard = None
    rig.hear(TimeTold(nonce=second["nonce"]))
    assert rig.clock.heard is None
    rig.clock.believed = Clock.HOLDOVER
    (alarm,) = rig(Ticked(), after=1_000)
    assert (alarm.alarm, alarm.active) == ("clock_untrusted", False)


def test_a_code_is_judged_off_the_loop(rig: Rig) -> None:
    entered = CodeEntered(door=FRONT, digits="12345678")
    rig(entered)
    assert rig.codes.taken == [(entered, 0)]
    (tried,) = rig(CodeJudged(door=FRONT, side=Side.IN, outcome=CodeOutcome.ACCEPTED, counter=3))
    assert (tried.kind, tried.counter) == ("code_tried", 3)
    assert rig.wires.deeds(Unlock) == [(FRONT, Unlock(5_000))]


def test_a_new_policy_holds_at_every_door(rig: Rig) -> None:
    other = policy()
    rig(PolicyChanged(other))
    assert {door.policy for door in rig.agent.doors.values()} == {other}
