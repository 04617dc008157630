"""Case 8: a badge is revoked, and the door may know of it or not."""

from __future__ import annotations

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, FRONT, HOUR_MS, Person
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

UID, KEY = "04A3C6CAE26180", "04C3C6CAE26180"


@pytest.fixture
def network(on_either: MakeNetwork) -> Network:
    network = on_either(pulse_ms=300)
    network.start(FIRST)
    return network


def known(network: Network) -> Person:
    """Somebody whose booking is on the door, and a keyholder."""
    person = network.village.member(UID)
    network.village.key(network.village.enrol(KEY))
    network.give_policies(FIRST)
    return person


def test_within_the_policys_age_granted_then_flagged_and_alarmed(network: Network) -> None:
    agent, village = network.agents[FIRST], network.village
    person = known(network)
    agent.cut_off()
    village.block(person)
    answer = agent.tap(FRONT, UID)
    assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", True, "booked")
    assert village.rows(models.Alarm, kind="revoked_granted") == []

    agent.wire.restore()
    wait_until(lambda: village.rows(models.Alarm, kind="revoked_granted"), "the alarm")
    wait_until(lambda: village.rows(models.Enforcement, tap=answer["tap"]), "the door's word")
    [event] = village.rows(models.AccessEvent, tap=answer["tap"])
    [done] = village.rows(models.Enforcement, tap=answer["tap"])
    assert event.flags == ["revoked_meanwhile"]
    assert (done.by, done.granted) == ("edge", True)
    assert done.policy_n is not None
    assert 0 <= done.policy_age_ms < HOUR_MS


def test_beyond_it_denied_but_for_keyholders_who_are_alarmed(network: Network) -> None:
    """The half of case 4 about a policy that is past its expiry, too."""
    agent, village = network.agents[FIRST], network.village
    known(network)
    agent.cut_off()
    agent.process.stop()
    agent.age_policy(hours=71.9)
    agent.start(linked=False)
    assert agent.tap(FRONT, UID)["granted"]
    agent.process.stop()
    agent.age_policy(hours=0.2)
    agent.start(linked=False)
    denied, let_in = agent.tap(FRONT, UID), agent.tap(FRONT, KEY)
    assert (denied["granted"], denied["reason"]) == (False, "policy_stale")
    assert (let_in["granted"], let_in["reason"]) == (True, "keyholder")

    agent.wire.restore()
    for one in (denied, let_in):
        wait_until(lambda: village.rows(models.Enforcement, tap=one["tap"]), "the door's word")  # noqa: B023 - called before the next turn
    [used] = village.rows(models.Alarm, kind="keyholder_used")
    assert used.detail == {"tap": let_in["tap"]}
    [done] = village.rows(models.Enforcement, tap=denied["tap"])
    assert done.policy_age_ms >= 72 * HOUR_MS
    for kind in ("hub_silent", "hub_silent_long", "policy_stale"):
        wait_until(lambda: village.rows(models.Alarm, kind=kind), f"the door to tell {kind}")  # noqa: B023 - called before the next turn


def test_online_it_takes_effect_at_once_also_for_the_doors_own_policy(network: Network) -> None:
    agent, village = network.agents[FIRST], network.village
    person = known(network)
    network.work.start()
    assert agent.tap(FRONT, UID)["granted"]
    before = len(village.rows(models.Policy))
    village.block(person)
    assert agent.tap(FRONT, UID)["reason"] == "badge_blocked"
    wait_until(lambda: len(village.rows(models.Policy)) > before, "the policy without the badge")
    wait_until(lambda: network._stored(FIRST), "the door to store it")
    agent.cut_off()
    answer = agent.tap(FRONT, UID)
    assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", False, "badge_blocked")
