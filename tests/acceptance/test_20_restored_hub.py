"""Case 20: the hub's database is a day old again, and nobody has to go to a door."""

from __future__ import annotations

from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus_hub import models

OLD, LATER = "04A3C6CAE26180", "04C3C6CAE26180"
SINCE = [f"04B3C6CAE26{number}80" for number in range(3)]


def test_doors_take_its_next_policy_and_no_fact_is_doubled(
    on_either: MakeNetwork,
) -> None:
    network = on_either(pulse_ms=300)
    network.start(FIRST)
    agent, village = network.agents[FIRST], network.village
    village.member(OLD)
    network.give_policies(FIRST)
    before = agent.tap(FRONT, OLD)["tap"]
    wait_until(lambda: village.rows(models.Enforcement, tap=before), "the first tap's word")
    wait_until(agent.receipted, "all of it to be receipted")
    backup = network.backup()

    for uid in SINCE:
        village.member(uid)
    network.give_policies(FIRST)
    lost = agent.tap(FRONT, SINCE[0])["tap"]
    wait_until(lambda: village.rows(models.Enforcement, tap=lost), "the second tap's word")
    wait_until(agent.receipted, "all of it to be receipted")
    held = village.rows(models.Policy)[-1]
    agent.cut_off()
    unsent = agent.tap(FRONT, OLD)["tap"]

    network.restore(backup)
    agent.wire.restore()
    wait_until(lambda: village.rows(models.Enforcement, tap=unsent), "what was not sent yet")
    village.member(LATER)
    network.work.start()
    wait_until(lambda: accepted(network, held), "the door to take the restored hub's policy")
    agent.cut_off()
    assert agent.tap(FRONT, LATER)["granted"]
    assert agent.tap(FRONT, SINCE[0])["reason"] == "badge_unknown"
    taps = [row.tap for row in village.rows(models.AccessEvent)]
    assert len(taps) == len(set(taps))
    assert {before, unsent} <= set(taps)
    assert lost not in taps
    assert agent.process.said("policy_damaged") == 0


def test_who_forgets_to_say_so_is_told_by_the_doors(make_network: MakeNetwork) -> None:
    """The door refuses what looks older; the hub learns from it how far it is, and says so."""
    network = make_network(pulse_ms=300)
    network.start(FIRST)
    agent, village = network.agents[FIRST], network.village
    said: list[bytes] = []
    peer = network.peer(lambda _topic, raw: said.append(raw), wire.down_topic(FIRST, "policy"))
    village.member(OLD)
    network.give_policies(FIRST)
    wait_until(lambda: said, "the first rights to be published")
    backup = network.backup()
    village.member(SINCE[0])
    network.give_policies(FIRST)
    held = village.rows(models.Policy)[-1]
    network.restore(backup, say_so=False)
    assert forgotten(network) == []

    older = agent.process.said("policy_older")
    # nobody listens at the topic of policies who has one
    peer.publish(wire.down_topic(FIRST, "policy_delta"), said[0])
    wait_until(lambda: agent.process.said("policy_older") > older, "older rights to be refused")
    assert agent.tap(FRONT, SINCE[0])["by"] == "hub"
    network.work.start()
    wait_until(lambda: forgotten(network), "the alarm")
    wait_until(lambda: accepted(network, held), "the door to take rights above its own")
    [device] = village.rows(models.Device, slug=FIRST)
    [alarm] = forgotten(network)
    assert (alarm.device_id, alarm.cleared_at) == (device.id, None)
    assert device.applied_epoch == held.epoch
    assert agent.tap(FRONT, OLD)["granted"]
    assert agent.tap(FRONT, SINCE[0])["reason"] == "badge_unknown"

    network.say_restored()
    assert forgotten(network)[0].cleared_at is not None
    wait_until(lambda: above(network, held.epoch), "the door to hold rights of a new epoch")


def forgotten(network: Network) -> list[models.Alarm]:
    return network.village.rows(models.Alarm, kind="policy_ahead")


def above(network: Network, epoch: int) -> bool:
    [device] = network.village.rows(models.Device, slug=FIRST)
    return (device.applied_epoch or 0) > epoch


def accepted(network: Network, held: models.Policy) -> bool:
    """The door has reported a policy that is above what it held, and it is the newest."""
    [device] = network.village.rows(models.Device, slug=FIRST)
    newest = network.village.rows(models.Policy, device_id=device.id)[-1]
    number = (device.applied_epoch or 0, device.applied_n or 0)
    return number > (held.epoch, held.n) and device.applied_sha256 == newest.sha256
