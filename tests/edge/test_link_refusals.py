"""What the broker refuses the door is said: else it decides alone, and nobody knows why."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from tests.edge.link_bench import DEVICE, Agent

from kokubus import packets
from kokubus_edge.link import Link
from kokubus_edge.link_client import BufferedSocket, DoorClient
from kokubus_edge.link_line import Broker

CONNACK = b"\x20\x03\0\0\0"
NOT_AUTHORIZED = b"\x87"


@pytest.fixture
def line() -> Iterator[tuple[DoorClient, socket.socket]]:
    """A link's client as it is before the broker has said anything, and the broker's end."""
    broker = Broker(device=DEVICE, host="127.0.0.1", port=1, tls=None)
    agent = Agent()
    link = Link(broker, receive=agent.receive, tell=agent.told.append, now=lambda: 1)
    client: Any = link._make_client()
    link._client = client
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - Python's own way
    client._sock = BufferedSocket(ours)
    with ours, theirs:
        yield client, theirs
        client.release()


def said(line: tuple[DoorClient, socket.socket], *told: bytes) -> list[dict[str, Any]]:
    """What is logged when the broker says this."""
    client, broker = line
    with structlog.testing.capture_logs() as logs:
        for one in told:
            broker.send(one)
            client.turn(0)
    return [dict(one) for one in logs if one["log_level"] in ("warning", "error")]


def test_a_subscription(line: tuple[DoorClient, socket.socket]) -> None:
    suback = b"\x90\x05\0\x01\0\x01" + NOT_AUTHORIZED
    [log] = said(line, CONNACK, suback)
    assert (log["event"], log["why"]) == ("subscription_refused", ["Not authorized"])


def test_a_message(line: tuple[DoorClient, socket.socket]) -> None:
    refused = b"\x40\x03\x80\0" + NOT_AUTHORIZED
    [log] = said(line, CONNACK, refused + packets.puback(0x8001))
    assert (log["event"], log["messages"], log["codes"]) == ("broker_refused", 1, ["0x87"])


def test_what_is_granted_is_no_news(line: tuple[DoorClient, socket.socket]) -> None:
    assert said(line, CONNACK, b"\x90\x05\0\x01\0\x01\x01", packets.puback(0x8000)) == []
