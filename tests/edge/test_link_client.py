"""The link's client with a broker that is only a socket: every packet reaches whom it is for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from kokubus import packets
from kokubus_edge.link_client import BufferedSocket, DoorClient

PONG = b"\xd0\x00"
OK = MQTTErrorCode.MQTT_ERR_SUCCESS


@dataclass
class Line:
    """A client that believes itself connected, the broker's end, and what the client told."""

    client: DoorClient
    broker: socket.socket
    acked: list[int] = field(default_factory=list)
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    pongs: int = 0

    def ponged(self) -> MQTTErrorCode:
        self.pongs += 1
        return OK


@contextmanager
def connected() -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - Python's own way
    client: Any = DoorClient(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client._sock = BufferedSocket(ours)
    client._state = 2  # connected
    line = Line(client, theirs)
    client.heard = lambda *one: line.heard.append(one)
    client.acked = line.acked.extend
    client._handle_pingresp = line.ponged
    with ours, theirs:
        yield line
    client.release()


said = st.one_of(
    st.builds(packets.puback, st.integers(1, 65_535)),
    st.builds(lambda mid: packets.publish("t", b"x", mid), st.integers(0, 65_535)),
    st.just(PONG),
)


@given(st.lists(said, max_size=12), st.lists(st.integers(1, 40), max_size=6))
def test_however_they_are_mixed_and_cut_every_packet_is_taken(
    stream: list[bytes], cuts: list[int]
) -> None:
    """An acknowledgement behind a message, or behind a sign of life, counts like any other."""
    whole = b"".join(stream)
    with connected() as line:
        for cut in [*cuts, len(whole)]:
            line.broker.send(whole[:cut])
            whole = whole[cut:]
            assert line.client.turn(0) == OK
        assert len(line.acked) == sum(one[0] == packets.PUBACK for one in stream)
        assert len(line.heard) == sum(one[0] & 0xF0 == packets.PUBLISH for one in stream)
        assert line.pongs == stream.count(PONG)


def test_a_message_at_qos_1_is_acknowledged_and_one_at_qos_0_is_not() -> None:
    with connected() as line:
        line.broker.send(packets.publish("t", b"x", 7) + packets.publish("t", b"y"))
        line.client.turn(0)
        assert line.heard == [("t", b"x"), ("t", b"y")]
        assert line.broker.recv(100) == packets.puback(7)


def test_what_the_network_does_not_take_waits_and_keeps_its_order() -> None:
    said = [packets.publish("t", bytes([n]) * 50_000, n + 1) for n in range(40)]
    with connected() as line:
        for packet in said:
            line.client.say(packet)
        taken = b""
        line.client.turn(0)
        assert line.client.socket().waiting  # type: ignore[union-attr]  # a BufferedSocket
        while len(taken) < sum(map(len, said)):
            taken += line.broker.recv(100_000)
            line.client.turn(0)
        assert taken == b"".join(said)


def test_a_connection_that_ends_is_an_error() -> None:
    with connected() as line:
        line.broker.close()
        with pytest.raises(OSError, match="closed the connection"):
            line.client.turn(0)
