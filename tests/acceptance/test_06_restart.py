"""Case 6: nothing that starts, ends or dies moves a bolt."""

from __future__ import annotations

import signal
from random import Random

from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.network import MakeNetwork
from tests.acceptance.rig.village import DEVICES, FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus_edge.simulate.pins import relay_edges
from kokubus_hub import models

MEMBER, UNKNOWN = "04A3C6CAE26180", "1E034A5B"
ROUNDS = 50
WHOLE_EVERY, BROKER_EVERY = 10, 10


def test_a_hundred_reboots_move_no_bolt(make_network: MakeNetwork) -> None:
    """Two agents, fifty times each: crashes, some of them while starting, and clean ends.

    The doors have a policy by which a member may enter now; one relay is energised by a high
    pin and one by a low one. Every tenth time the broker dies or restarts as well.
    """
    network, noise = make_network(), Random(6)
    network.start()
    network.village.member(MEMBER)
    agents = [network.agents[device] for device in DEVICES]
    network.give_policies(*DEVICES)
    for number in range(1, ROUNDS + 1):
        whole = number % WHOLE_EVERY == 0
        for agent in agents:
            agent.reboot(clean=noise.random() < 0.5, whole=whole)
        if number % BROKER_EVERY == 0:
            network.broker.restart(kill=noise.random() < 0.5)
        for agent in agents:
            if noise.random() < 0.8:  # the others are killed before they are ready
                wait_until(agent.at_work, f"{agent.device} to be at work")
                assert agent.drawn() == []
    for agent in agents:
        wait_until(agent.linked, f"{agent.device} to reach the broker")
        assert agent.boots > ROUNDS
        assert relay_edges(agent.data / "relays.log") == []


def test_a_grant_that_was_asked_for_before_a_crash_opens_nothing_after_it(
    make_network: MakeNetwork,
) -> None:
    """The broker keeps the hub's answer for the door's next life."""
    network = make_network()
    network.start(FIRST)
    network.village.member(MEMBER)
    agent = network.agents[FIRST]
    network.listener.send(signal.SIGSTOP)
    agent.ask(do="burst", door=FRONT, uids=[MEMBER])
    wait_until(lambda: agent.spooled("badge_tapped"), "the tap to be on the disk")
    tap = agent.spooled("badge_tapped")[0]["id"]
    agent.process.kill()
    network.listener.send(signal.SIGCONT)
    wait_until(lambda: network.village.rows(models.AccessEvent, tap=tap), "the hub to have it")
    agent.start()
    wait_until(lambda: not _unreceipted(agent, tap), "the hub's word about the tap to be heard")
    assert agent.pulses() == 0


def test_an_agent_killed_while_its_bolt_is_drawn_lets_it_go_and_leaves_it(
    make_network: MakeNetwork,
) -> None:
    """What systemd runs after a crash lets go; the next life knows nothing of the grant."""
    network = make_network(pulse_ms=60_000)
    network.start(FIRST)
    network.village.member(MEMBER)
    agent = network.agents[FIRST]
    assert agent.tap(FRONT, MEMBER)["granted"]
    wait_until(lambda: agent.drawn() == [FRONT], "the bolt to be drawn")
    agent.process.kill()
    agent.release()
    agent.start()
    agent.tap(FRONT, UNKNOWN)
    assert agent.drawn() == []
    assert agent.pulses() == 1


def _unreceipted(agent: Agent, tap: str) -> bool:
    """A receipt takes effect on the disk with the next write: this fact is one."""
    agent.ask(do="burst", door=FRONT, uids=[UNKNOWN])
    return any(fact["id"] == tap for fact in agent.spooled("badge_tapped"))
