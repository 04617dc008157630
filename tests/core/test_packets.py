"""MQTT 5 packets as the listener reads and writes them, beside what paho makes of the same."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from kokubus import packets
from kokubus.packets import Delivered, PacketError

topics = st.text(st.characters(codec="utf-8", exclude_characters="#+\0"), min_size=1, max_size=40)
payloads = st.binary(max_size=400)
mids = st.integers(0, 65_535)
messages = st.builds(Delivered, topics, payloads, mids)


def _paho(far: socket.socket) -> Client:
    """A paho client whose connection ends in our hands."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client._sock = far
    client._state = 2  # connected
    return client


@given(st.lists(messages, max_size=8), st.integers(0, 10))
def test_what_is_published_is_delivered(said: list[Delivered], most: int) -> None:
    stream = b"".join(packets.publish(*one) for one in said)
    found, at = packets.deliveries(stream, 0, most)
    assert found == said[:most]
    rest, end = packets.deliveries(stream, at, 10)
    assert found + rest == said
    assert end == len(stream)


@given(messages, st.data())
def test_a_part_of_a_message_is_none(message: Delivered, data: st.DataObject) -> None:
    stream = packets.publish(*message)
    part = stream[: data.draw(st.integers(0, len(stream) - 1))]
    assert packets.deliveries(part, 0, 5) == ([], 0)


@given(st.integers(0, 268_435_455))
def test_a_length_is_read_as_it_was_written(number: int) -> None:
    written = packets.length(number)
    assert packets.measured(written, 0) == (len(written), len(written) + number)
    assert packets.measured(written[:-1], 0) is None


@pytest.mark.parametrize("number", [-1, 268_435_456])
def test_a_length_that_no_packet_can_have(number: int) -> None:
    with pytest.raises(ValueError, match="no MQTT packet"):
        packets.length(number)


@pytest.mark.parametrize("stream", [b"\x30\xff\xff\xff\xff\x01", b"\x30\x04\x00\x09ab"])
def test_what_is_no_mqtt_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(PacketError):
        packets.deliveries(stream, 0, 1)


def test_acknowledgements_say_what_was_refused() -> None:
    stream = packets.puback(7) + b"\x40\x03\0\x08\x10" + b"\x40\x04\0\x09\x87\0" + b"\x40\x02\0"
    found, at = packets.acknowledgements(stream, 0)
    assert found == ([7, 8, 9], [0x87])
    assert stream[at:] == b"\x40\x02\0"
    with pytest.raises(PacketError):
        packets.acknowledgements(b"\x40\x01\0", 0)


def test_what_is_no_message_is_left_to_paho() -> None:
    stream = packets.publish("a", b"1") + b"\xd0\x00" + packets.publish("b", b"2")
    found, at = packets.deliveries(stream, 0, 9)
    assert (found, stream[at]) == ([Delivered("a", b"1", 0)], 0xD0)


def test_paho_reads_what_we_write_and_writes_what_we_read() -> None:
    near, far = socket.socketpair()
    with near, far:
        client, heard = _paho(far), list[MQTTMessage]()
        client.on_message = lambda _c, _d, message: heard.append(message)
        near.sendall(packets.publish("kokubus/v1/a/up/x", bytes(range(256)) * 2, 7))
        client.loop_read()
        assert [(m.topic, m.payload, m.mid) for m in heard] == [
            ("kokubus/v1/a/up/x", bytes(range(256)) * 2, 7)
        ]
        assert near.recv(100)[:4] == packets.puback(7)
        about = Properties(PacketTypes.PUBLISH)
        about.UserProperty = ("who", "somebody" * 30)
        client.publish("türe", b"offen", qos=1, properties=about)
        found, _ = packets.deliveries(near.recv(1_000), 0, 9)
        assert found == [Delivered("türe", b"offen", 1)]
