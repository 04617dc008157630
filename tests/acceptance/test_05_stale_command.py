"""Case 5: a command that comes too late, or twice, draws no bolt."""

from __future__ import annotations

import json
import os

import pytest
from sqlalchemy import insert
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.peer import Peer, signed
from tests.acceptance.rig.village import FIRST, FRONT, now
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus.downlinks import UnlockDoor
from kokubus.ids import uuid7
from kokubus_hub import models
from kokubus_hub.database import writing

TOPIC = wire.down_topic(FIRST, UnlockDoor.kind)
DONE = wire.up_topic(FIRST, "command_done")
LIFE_MS, OFFLINE_MS = 10_000, 600_000
Done = tuple[str, str, str]


class Desk:
    """Where an operator sends commands from, and hears what became of them."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.done: list[Done] = []
        self._heard: set[str] = set()
        self._peer: Peer = network.peer(self._hear, DONE)

    def order(self, *, sent_at: int, life_ms: int = LIFE_MS) -> tuple[str, bytes]:
        """(id, payload) of a command that stands in the hub's book as sent."""
        command = uuid7(sent_at, os.urandom(10))
        network = self._network
        values = {
            "id": command,
            "door_id": network.village.rows(models.Door, slug=FRONT)[0].id,
            "reason": "a parcel",
            "sent_at": sent_at,
            "expires_at": sent_at + life_ms,
            "outcome": "sent",
        }
        with writing(network.engine) as connection:
            connection.execute(insert(models.Command).values(values))
        message = UnlockDoor(command=command, door=FRONT)
        payload = signed(network.keyring, FIRST, message, at=sent_at, life_ms=life_ms)
        return command, payload

    def send(self, payload: bytes, *, retain: bool = False) -> None:
        self._peer.publish(TOPIC, payload, retain=retain)

    def told(self, command: str) -> list[tuple[str, str]]:
        """What the device said about it: (outcome, detail), each fact once."""
        return [(how, detail) for which, how, detail in self.done if which == command]

    def booked(self, command: str) -> str:
        """What the hub's book says about it."""
        return str(self._network.village.rows(models.Command, id=command)[0].outcome)

    def _hear(self, _topic: str, payload: bytes) -> None:
        fact = json.loads(payload)
        if fact["id"] not in self._heard:  # it is sent again until its receipt has come
            self._heard.add(fact["id"])
            self.done.append((fact["command"], fact["outcome"], fact["detail"]))


@pytest.fixture
def started(make_network: MakeNetwork) -> Network:
    """Broker and listener; the agent has yet to come."""
    network = make_network()
    network.broker.start()
    network.listen()
    return network


@pytest.mark.parametrize("retain", [False, True], ids=["queued", "retained"])
def test_a_command_sent_while_the_door_was_away_is_expired(started: Network, retain: bool) -> None:
    agent, desk = started.agents[FIRST], Desk(started)
    agent.start()
    agent.process.stop()

    command, payload = desk.order(sent_at=now() - OFFLINE_MS)
    desk.send(payload, retain=retain)
    agent.start()
    wait_until(lambda: desk.told(command), "the door to speak of the command")
    wait_until(lambda: desk.booked(command) == "expired", "the hub to book it as expired")
    assert desk.told(command)[0] == ("expired", "command_expired")
    assert agent.pulses() == 0


def test_a_retained_command_waits_for_a_door_that_was_never_there(started: Network) -> None:
    agent, desk = started.agents[FIRST], Desk(started)
    command, payload = desk.order(sent_at=now() - OFFLINE_MS)
    desk.send(payload, retain=True)
    agent.start()
    wait_until(lambda: desk.told(command), "the door to speak of the command")
    wait_until(lambda: desk.booked(command) == "expired", "the hub to book it as expired")
    assert desk.told(command)[0] == ("expired", "command_expired")
    agent.process.kill()
    agent.start()
    desk.send(payload)
    wait_until(lambda: "repeated" in outcomes(desk, command), "the door to know it again")
    assert agent.pulses() == 0


def outcomes(desk: Desk, command: str) -> set[str]:
    """What the device has said so far became of it."""
    return {how for how, _ in desk.told(command)}


def test_an_old_command_is_replayed_by_hand_in_vain(started: Network) -> None:
    """What somebody kept from the wire is worth nothing later; the next real one works."""
    agent, desk = started.agents[FIRST], Desk(started)
    agent.start()
    command, payload = desk.order(sent_at=now() - OFFLINE_MS)
    desk.send(payload)
    wait_until(lambda: desk.booked(command) == "expired", "the hub to book it as expired")
    assert agent.pulses() == 0

    fresh, payload = desk.order(sent_at=now(), life_ms=OFFLINE_MS)
    desk.send(payload)
    wait_until(lambda: agent.pulses() == 1, "a fresh command to draw the bolt")
    wait_until(lambda: desk.booked(fresh) == "no_entry", "nobody to come in")


def test_the_same_command_twice_is_one_pulse(started: Network) -> None:
    """Twice at once, later, after a crash and after a clean restart."""
    agent, desk = started.agents[FIRST], Desk(started)
    agent.start()
    command, payload = desk.order(sent_at=now(), life_ms=OFFLINE_MS)
    desk.send(payload)
    desk.send(payload)
    wait_until(lambda: agent.pulses() == 1, "the bolt to be drawn")
    agent.ask(do="force", door=FRONT, seconds=1.0)
    wait_until(lambda: desk.booked(command) == "opened", "somebody to come in")
    wait_until(lambda: "opened" in outcomes(desk, command), "the desk to hear of it")

    for end in (None, agent.process.kill, agent.process.stop):
        if end is not None:
            end()
            agent.start()
        desk.done.clear()
        desk.send(payload)
        wait_until(lambda: desk.told(command), "the door to know it again")
        assert outcomes(desk, command) == {"repeated"}
    assert agent.pulses() == 1
    assert desk.booked(command) == "opened"
