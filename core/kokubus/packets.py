"""The two MQTT 5 packets that come and go by the thousand: PUBLISH and PUBACK, both ways.

paho reads a packet in a Python call for each byte of its length and one for each property, and
builds as many to answer; at thousands of messages a second that is most of a listener's time,
and of a door's that sends what it could not send for days. Everything rarer (connect,
subscribe, ping, disconnect) stays paho's. Layouts: OASIS MQTT Version 5.0, sections 1.5.5
(variable byte integer), 3.3 (PUBLISH) and 3.4 (PUBACK).
"""

from __future__ import annotations

from typing import NamedTuple

PUBLISH, PUBACK = 0x30, 0x40
LARGEST = 16 * 1024 * 1024
"""Bytes of a packet: twice what a message may be. Who begins a larger one is not waited for."""
_TYPE, _QOS = 0xF0, 0x06
_REFUSED = 0x80
_LONGEST = 268_435_455


class Delivered(NamedTuple):
    """A message as the broker delivered it; ``mid`` is 0 at QoS 0, else it wants a PUBACK."""

    topic: str
    payload: bytes
    mid: int


class PacketError(ConnectionError):
    """What the broker sent is no MQTT; only a new connection can help."""


def publish(topic: str, payload: bytes, mid: int = 0, *, retain: bool = False) -> bytes:
    """A PUBLISH without properties, at QoS 1 if there is a ``mid`` (1-65535), else at QoS 0."""
    name = topic.encode()
    head = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if mid else b"") + b"\0"
    first = PUBLISH | (0x02 if mid else 0) | retain
    return bytes((first,)) + length(len(head) + len(payload)) + head + payload


def puback(mid: int) -> bytes:
    """The PUBACK of a message: success, no properties."""
    return b"\x40\x02" + mid.to_bytes(2, "big")


def length(number: int) -> bytes:
    """A variable byte integer; ValueError beyond 268,435,455."""
    if not 0 <= number <= _LONGEST:
        raise ValueError(f"{number} bytes are no MQTT packet")
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def measured(buffer: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """(first byte, end) of what a variable byte integer at ``at`` counts; None: not all there."""
    number = 0
    for place in range(4):
        if at + place >= len(buffer):
            return None
        digit = buffer[at + place]
        number |= (digit & 0x7F) << 7 * place
        if digit < 0x80:
            return at + place + 1, at + place + 1 + number
    raise PacketError("the broker sent a length of more than four bytes")


def deliveries(buffer: bytes | bytearray, at: int, most: int) -> tuple[list[Delivered], int]:
    """(at most ``most`` whole PUBLISH packets from ``at`` on, where the next packet begins)."""
    found: list[Delivered] = []
    while len(found) < most and is_publish(buffer, at):
        span = measured(buffer, at + 1)
        if span is None or span[1] > len(buffer):
            break
        found.append(_delivered(buffer, buffer[at], *span))
        at = span[1]
    return found, at


class Acknowledged(NamedTuple):
    """Messages the broker has done with, by ``mids``, and why it ``refused`` some of them.

    Refused or taken, a message is no longer under way. Codes: MQTT 5, 3.4.2.1.
    """

    mids: list[int]
    refused: list[int]


def acknowledgements(buffer: bytes | bytearray, at: int) -> tuple[Acknowledged, int]:
    """(what the whole PUBACK packets from ``at`` on say, where the next packet begins)."""
    found = Acknowledged([], [])
    while at < len(buffer) and buffer[at] & _TYPE == PUBACK:
        span = measured(buffer, at + 1)
        if span is None or span[1] > len(buffer):
            break
        if span[1] < span[0] + 2:
            raise PacketError("the broker acknowledged no message")
        found.mids.append(int.from_bytes(buffer[span[0] : span[0] + 2], "big"))
        if span[1] > span[0] + 2 and (code := buffer[span[0] + 2]) >= _REFUSED:
            found.refused.append(code)
        at = span[1]
    return found, at


def is_publish(buffer: bytes | bytearray, at: int) -> bool:
    """Whether a PUBLISH of QoS 0 or 1 begins at ``at``; of QoS 2 nobody has asked for."""
    return at < len(buffer) and buffer[at] & _TYPE == PUBLISH and buffer[at] & _QOS <= 0x02


def _delivered(buffer: bytes | bytearray, first: int, start: int, end: int) -> Delivered:
    after = start + 2 + int.from_bytes(buffer[start : start + 2], "big")
    mid = 0
    if first & _QOS:
        mid = int.from_bytes(buffer[after : after + 2], "big")
    properties = measured(buffer, after + (2 if first & _QOS else 0))
    if properties is None or properties[1] > end:
        raise PacketError("the broker sent a message longer than it said")
    topic = buffer[start + 2 : after].decode(errors="replace")
    return Delivered(topic, bytes(buffer[properties[1] : end]), mid)


class ReadAhead:
    """Bytes as they came, handed out packet by packet in their order."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0

    def keep(self, piece: bytes) -> None:
        """More has come; PacketError if what is not used by then is more than a packet may be."""
        del self._bytes[: self._at]
        self._at = 0
        self._bytes += piece
        if len(self._bytes) > LARGEST:
            raise PacketError(f"the broker began a packet of more than {LARGEST} bytes")

    def messages(self, most: int) -> list[Delivered]:
        """At most ``most`` of the whole messages before anything else."""
        found, self._at = deliveries(self._bytes, self._at, most)
        return found

    def acknowledged(self) -> Acknowledged:
        """What the whole PUBACK packets before anything else say."""
        found, self._at = acknowledgements(self._bytes, self._at)
        return found

    def other(self) -> bool:
        """Whether it goes on with a packet that is no message, all of it."""
        if self._at >= len(self._bytes) or is_publish(self._bytes, self._at):
            return False
        span = measured(self._bytes, self._at + 1)
        return span is not None and span[1] <= len(self._bytes)

    def take(self, size: int) -> bytes:
        """At most ``size`` bytes."""
        piece = bytes(self._bytes[self._at : self._at + size])
        self._at += len(piece)
        return piece
