"""The link's client with a broker that is only a socket: every packet reaches whom it is for."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from kokubus import packets
from kokubus_edge.link_client import BufferedSocket, DoorClient
from kokubus_edge.link_line import Line as Sending

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
    client.acked = lambda one: line.acked.extend(one.mids)
    client._handle_pingresp = line.ponged
    try:
        yield line
    finally:  # also when Hypothesis ends an example early
        client.release()
        ours.close()
        theirs.close()


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


def test_what_comes_again_after_a_return_is_acknowledged_by_its_own_number() -> None:
    """A session that goes on (MQTT 5, 4.4): the broker repeats what it has no PUBACK for."""
    again = bytearray(packets.publish("t", b"x", 7))
    again[0] |= 0x08  # DUP
    with connected() as line:
        line.broker.send(bytes(again) + packets.puback(65_000))  # and one of an older connection
        line.client.turn(0)
        assert (line.heard, line.acked) == ([("t", b"x")], [65_000])
        assert line.broker.recv(100) == packets.puback(7)


@given(st.data())
def test_no_number_is_used_again_while_its_message_is_under_way(data: st.DataObject) -> None:
    with connected() as here:
        line, under_way = Sending(here.client, window=6), list[int]()
        line._mids = cycle(range(1, 9))
        for _ in range(40):
            bulk = data.draw(st.booleans())
            if line.publish("t", b"x", bulk=bulk):
                here.client.turn(0)
                [one], _ = packets.deliveries(here.broker.recv(100), 0, 9)
                assert one.mid not in under_way
                under_way.append(one.mid)
            assert len(under_way) == line.under_way <= 6
            done = data.draw(st.lists(st.sampled_from([99, *under_way]), max_size=3))
            line.acked(done)
            under_way = [mid for mid in under_way if mid not in done]


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


def test_what_happens_now_overtakes_the_backlog_that_waits_here() -> None:
    """Whole packets all the same: what the network has begun to take is finished first."""
    backlog = [packets.publish("t", bytes([n]) * 4_000, n + 1) for n in range(200)]
    live = packets.publish("t", b"somebody at the door", 999)
    with connected() as line:
        for packet in backlog[:-1]:
            line.client.say(packet, bulk=True)
        while not line.client.socket().waiting:  # type: ignore[union-attr]  # a BufferedSocket
            line.client.turn(0)
        line.client.say(backlog[-1], bulk=True)
        line.client.say(live)
        taken = b""
        while len(taken) < sum(map(len, [*backlog, live])):
            line.client.turn(0)
            taken += line.broker.recv(100_000)
        found, _ = packets.deliveries(taken, 0, 1_000)
        mids = [one.mid for one in found]
        assert sorted(mids) == [*range(1, 201), 999]
        assert [mid for mid in mids if mid != 999] == list(range(1, 201))
        assert mids.index(999) < 150


def test_what_is_said_while_a_turn_writes_goes_before_the_backlog() -> None:
    """Whoever says one thing and then, in bulk, another is heard in that order."""
    live, bulk = packets.publish("t", b"now", 1), packets.publish("t", b"before", 2)
    with connected() as line:

        def meanwhile() -> bool:
            line.client.say(live)
            line.client.say(bulk, bulk=True)
            return False

        line.client.want_write = meanwhile  # type: ignore[method-assign]  # asked amid a turn
        line.client.turn(0)
        line.client.want_write = lambda: False  # type: ignore[method-assign]
        line.client.turn(0)
        assert line.broker.recv(1_000) == live + bulk


def test_a_broker_that_never_stops_talking_is_answered_all_the_same() -> None:
    with connected() as line:

        def heard(topic: str, payload: bytes) -> None:
            line.heard.append((topic, payload))
            if len(line.heard) < 100:
                line.broker.send(packets.publish("t", b"and again", 7))

        line.client.heard = heard
        line.client.say(packets.publish("t", b"somebody at the door"))
        line.broker.send(packets.publish("t", b"hello", 7))
        line.client.turn(0)
        assert len(line.heard) < 100
        assert b"somebody at the door" in line.broker.recv(1_000)


def test_a_packet_without_end_ends_the_connection() -> None:
    """256 MB is what a length may say: the memory of a whole device."""
    with connected() as line:
        line.broker.send(b"\x30\xff\xff\xff\x7f" + b"\0\1t\0")
        for _ in range(packets.LARGEST // 60_000):
            line.broker.send(bytes(60_000))
            assert line.client.turn(0) == OK
        line.broker.send(bytes(60_000))
        with pytest.raises(packets.PacketError, match="more than 16777216 bytes"):
            line.client.turn(0)


def files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_who_is_released_gives_back_every_file() -> None:
    """Without waiting for the collector: a door in bad reception connects every minute."""
    before = files()
    gc.disable()
    try:
        with connected() as line:
            line.broker.close()
            with pytest.raises(OSError, match="closed the connection"):
                line.client.turn(0)
            line.client.release()
            assert files() == before
    finally:
        gc.enable()


def test_a_connection_that_ends_is_an_error() -> None:
    with connected() as line:
        line.broker.close()
        with pytest.raises(OSError, match="closed the connection"):
            line.client.turn(0)
