"""The link against a real Mosquitto, which is killed and started again."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.broker import Mosquitto, start_mosquitto
from tests.edge.link_bench import (
    DEVICE,
    UP,
    Agent,
    linked,
    listening,
    signed,
    wait_for,
)

from kokubus.downlinks import PolicyRenewed, PolicySnapshot, UnlockDoor
from kokubus.messages import PolicyNumber
from kokubus.wire import down_topic
from kokubus_edge.link import LinkDown, LinkUp

pytestmark = pytest.mark.slow


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with start_mosquitto(tmp_path) as running:
        yield running


def test_birth_is_retained_and_closing_takes_it_back(broker: Mosquitto) -> None:
    agent = Agent()
    with listening(broker) as hub:
        with linked(broker.port, agent):
            wait_for(lambda: hub.statuses() == [True], "the birth")
        wait_for(lambda: hub.statuses() == [True, False], "the farewell")
    with listening(broker) as later:
        wait_for(lambda: later.statuses() == [False], "the retained status")
        assert later.heard.queue[0][2]


def test_the_last_will_is_published_when_the_device_vanishes(broker: Mosquitto) -> None:
    agent = Agent()
    with listening(broker) as hub, linked(broker.port, agent) as link:
        wait_for(lambda: hub.statuses() == [True], "the birth")
        assert link._line is not None
        sock: Any = link._line.client.socket()
        sock.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: hub.statuses() == [True, False, True], "will and new birth")
        wait_for(lambda: len(agent.told) >= 3, "the link to tell of it")
    assert [type(happening) for happening in agent.told[:3]] == [LinkUp, LinkDown, LinkUp]


def test_a_message_arrives_as_it_was_sent(broker: Mosquitto) -> None:
    agent = Agent()
    with listening(broker) as hub, linked(broker.port, agent) as link:
        assert link.send(UP, b"one")
        assert link.send(UP, b"two", bulk=True)
        wait_for(lambda: hub.payloads(UP) == [b"one", b"two"], "both")


def test_small_packets_leave_at_once(broker: Mosquitto) -> None:
    with linked(broker.port, Agent()) as link:
        assert link._line is not None
        sock: Any = link._line.client.socket()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_without_a_connection_nothing_is_taken(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        broker.kill()
        agent = Agent()
        with linked(broker.port, agent, wait=False) as link:
            assert not link.up
            assert not link.send(UP, b"x")
            broker.start()
            wait_for(agent.ups, "the connection")
            assert link.send(UP, b"y")


def test_it_comes_back_after_the_broker_was_killed(broker: Mosquitto) -> None:
    agent = Agent()
    with linked(broker.port, agent) as link:
        broker.kill()
        wait_for(lambda: isinstance(agent.told[-1], LinkDown), "the loss")
        assert not link.send(UP, b"lost")
        broker.start()
        wait_for(lambda: agent.ups() == 2, "the return")
        with listening(broker) as hub:
            assert link.send(UP, b"after")
            wait_for(lambda: hub.payloads(UP) == [b"after"], "only what was sent after")


def test_what_is_unacknowledged_is_bounded_and_bulk_leaves_half(broker: Mosquitto) -> None:
    """The broker is stopped, not gone: what is sent stays under way."""
    assert broker._process is not None
    with linked(broker.port, Agent(), window=10) as link:
        wait_for(lambda: link._line is not None and link._line.under_way == 0, "birth's PUBACK")
        broker._process.send_signal(signal.SIGSTOP)
        try:
            bulk = [link.send(UP, b"x", bulk=True) for _ in range(12)]
            live = [link.send(UP, b"x") for _ in range(12)]
        finally:
            broker._process.send_signal(signal.SIGCONT)
        assert bulk == [True] * 5 + [False] * 7
        assert live == [True] * 5 + [False] * 7
        wait_for(lambda: link.send(UP, b"x", bulk=True), "room again")


def test_the_brokers_own_window_is_heeded(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path, extra="max_inflight_messages 4") as broker:
        assert broker._process is not None
        with linked(broker.port, Agent()) as link:
            wait_for(lambda: link._line is not None and link._line.under_way == 0, "birth's PUBACK")
            broker._process.send_signal(signal.SIGSTOP)
            try:
                taken = sum(link.send(UP, b"x") for _ in range(12))
            finally:
                broker._process.send_signal(signal.SIGCONT)
    assert taken == 4


def test_what_the_hub_says_is_received_and_survives_a_short_absence(broker: Mosquitto) -> None:
    agent, again = Agent(), Agent()
    unlock = UnlockDoor(command="c", door="front")
    with listening(broker) as hub:
        with linked(broker.port, agent):
            hub.say(unlock)
            wait_for(lambda: agent.kinds() == ["unlock"], "the command")
        assert agent.received == [(down_topic(DEVICE, "unlock"), signed(unlock))]
        hub.say(PolicyRenewed(number=PolicyNumber(1, 1), sha256="0" * 64, issued_at=1))
        with linked(broker.port, again):
            wait_for(lambda: again.kinds() == ["policy_renewed"], "what came meanwhile")
    assert again.told[0] == LinkUp(resumed=True)


def test_a_retained_command_comes_once_a_session(broker: Mosquitto) -> None:
    agent, again = Agent(), Agent()
    with listening(broker) as hub:
        hub.say(UnlockDoor(command="c", door="front"), retain=True)
        with linked(broker.port, agent):
            wait_for(lambda: agent.kinds() == ["unlock"], "the retained command")
        with linked(broker.port, again):
            hub.say(UnlockDoor(command="d", door="front"))
            wait_for(lambda: again.received, "the next")
    assert again.received == [
        (down_topic(DEVICE, "unlock"), signed(UnlockDoor(command="d", door="front")))
    ]


def snapshot(n: int) -> PolicySnapshot:
    return PolicySnapshot(number=PolicyNumber(1, n), sha256="0" * 64, issued_at=1, content={})


def test_the_retained_policy_travels_only_when_it_is_fetched(broker: Mosquitto) -> None:
    agent = Agent()
    unlock = UnlockDoor(command="c", door="front")
    with listening(broker) as hub, linked(broker.port, agent) as link:
        hub.say(snapshot(1), retain=True)
        hub.say(unlock)
        wait_for(lambda: agent.kinds() == ["unlock"], "the command, and no policy")
        link.fetch_policy()
        wait_for(lambda: agent.kinds() == ["unlock", "policy"], "the policy")
        wait_for(lambda: not link._policy_wanted, "the end of the subscription")
        hub.say(snapshot(2), retain=True)
        hub.say(unlock)
        wait_for(lambda: agent.kinds() == ["unlock", "policy", "unlock"], "no second policy")
        link.fetch_policy()
        wait_for(lambda: agent.kinds()[3:] == ["policy"], "the second, when asked for")


def test_a_policy_wanted_while_away_is_fetched_on_return(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        with listening(broker) as hub:
            hub.say(snapshot(1), retain=True)
        broker.stop()
        agent = Agent()
        with linked(broker.port, agent, wait=False) as link:
            link.fetch_policy()
            broker.start()
            wait_for(lambda: agent.kinds() == ["policy"], "the policy")


def test_a_fault_in_the_receiver_costs_a_message_not_the_link(broker: Mosquitto) -> None:
    agent = Agent()

    def receive(topic: str, payload: bytes) -> None:
        agent.received.append((topic, payload))
        if len(agent.received) == 1:
            raise ZeroDivisionError

    agent.receive = receive  # type: ignore[method-assign]  # the faulty one
    with listening(broker) as hub, linked(broker.port, agent):
        hub.say(UnlockDoor(command="c", door="front"))
        hub.say(UnlockDoor(command="d", door="front"))
        wait_for(lambda: len(agent.received) == 2, "the next message")
    assert agent.ups() == 1
