"""A load that costs next to nothing, so that a throughput is the hub's and not the load's.

A paho client spends as much on sending a message as the hub does on recording it; on two cores
it would measure itself. Here the packets are made before the clock starts, and what comes back
is split without being looked into until the clock has stopped.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from kokubus import packets
from kokubus.packets import Delivered

_PIECE = 262_144
_STALLED_S = 60.0
_MIDS = 65_535


class Flood:
    """Publishes at QoS 1 what was made beforehand; subscribed to ``topic`` at QoS 0."""

    def __init__(self, port: int, topic: str) -> None:
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, "flood", protocol=MQTTProtocolVersion.MQTTv5
        )
        subscribed: list[int] = []
        client.on_subscribe = lambda *_: subscribed.append(1)
        client.connect("127.0.0.1", port, keepalive=600)
        client.subscribe(topic, qos=0)
        while not subscribed:
            client.loop(0.1)
        sock = client.socket()
        if not isinstance(sock, socket.socket):
            raise ConnectionError("the broker did not take the flood's connection")
        self._sock = sock
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def run(
        self,
        said: Sequence[tuple[str, bytes]],
        window: int,
        done: Callable[[list[Delivered]], int],
    ) -> float:
        """Seconds until all of ``said`` is done, at most ``window`` of them under way.

        ``done`` is told what came back and counts how many messages that settles.
        """
        made = [packets.publish(*one, i % _MIDS + 1) for i, one in enumerate(said)]
        sent = settled = 0
        began = time.perf_counter()
        while settled < len(made):
            upto = min(len(made), settled + window)
            if upto > sent:
                self._send(b"".join(made[sent:upto]))
                sent = upto
            settled += done(self._came())
        return time.perf_counter() - began

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                select.select([], [self._sock], [], _STALLED_S)

    def _came(self) -> list[Delivered]:
        if not select.select([self._sock], [], [], _STALLED_S)[0]:
            raise TimeoutError("the broker or the hub stopped answering")
        piece = self._sock.recv(_PIECE)
        if not piece:
            raise ConnectionError("the broker closed the flood's connection")
        buffer, found = self._left + piece, list[Delivered]()
        at = 0
        while at < len(buffer):
            more, at = packets.deliveries(buffer, at, len(buffer))
            found += more
            end = _other(buffer, at)
            if end is None:
                break
            at = end
        self._left = buffer[at:]
        return found


def _other(buffer: bytes, at: int) -> int | None:
    """Where an acknowledgement that begins at ``at`` ends; None if it is not all there."""
    if at >= len(buffer) or packets.is_publish(buffer, at):
        return None
    span = packets.measured(buffer, at + 1)
    return span[1] if span and span[1] <= len(buffer) else None
