"""One connection of the link: how its paho client is made and what is under way on it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from threading import Lock
from typing import Any, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from kokubus import packets
from kokubus.messages import DeviceStatus, Instant
from kokubus.wire import encode_up, up_topic
from kokubus_edge.link_client import DoorClient

KEEPALIVE_S = 20
"""A dead connection is noticed after two of them, by the broker after one and a half."""
_SESSION_S = 3_600
_CONNECT_S = 15.0
_USER_TIMEOUT_MS = 40_000
_UNSENT = 16_384
_MIDS = range(0x8000, 0x10000)
"""paho numbers its subscriptions from 1 on, a connection anew: these are left to messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where and as whom to connect.

    ``tls`` makes the context of each connection anew, so that a renewed certificate and a
    clock that has become trusted take effect; None is plain TCP. ``boot`` and ``version`` go
    into the birth message; ``window`` bounds the messages the broker has not acknowledged.
    ``transport`` "websockets" passes proxies that let nothing but the web through.
    """

    device: str
    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None
    boot: str = ""
    version: str = ""
    window: int = 400
    transport: Literal["tcp", "websockets"] = "tcp"


class Line:
    """One connection: its client and what the broker has not acknowledged."""

    def __init__(self, client: DoorClient, window: int) -> None:
        self.client = client
        self._window = window
        self._lock = Lock()
        self._mids = cycle(_MIDS)
        self._unacked: set[int] = set()

    def publish(self, topic: str, payload: bytes, *, bulk: bool, retain: bool = False) -> bool:
        """QoS 1; False if the window is full (of which bulk may fill half) or the line is cut."""
        if self.client.socket() is None:
            return False
        with self._lock:
            if len(self._unacked) >= (self._window // 2 if bulk else self._window):
                return False
            mid = next(mid for mid in self._mids if mid not in self._unacked)
            self._unacked.add(mid)
        self.client.say(packets.publish(topic, payload, mid, retain=retain), bulk=bulk)
        return True

    def acked(self, mids: Iterable[int]) -> None:
        """The broker has acknowledged these."""
        with self._lock:
            self._unacked.difference_update(mids)

    @property
    def under_way(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._unacked)


def make_client(broker: Broker, now: Instant) -> DoorClient:
    """A client a connection: what is said and not yet sent dies with it, as it must."""
    client = DoorClient(
        CallbackAPIVersion.VERSION2,
        broker.device,
        protocol=mqtt.MQTTv5,
        transport=broker.transport,
        reconnect_on_failure=False,
    )
    if broker.tls is not None:
        client.tls_set_context(broker.tls())
    client.connect_timeout = _CONNECT_S
    client.will_set(*status(broker, now, online=False), qos=1, retain=True)
    client.on_socket_open = _hasten
    return client


def status(broker: Broker, now: Instant, *, online: bool) -> tuple[str, bytes]:
    """(topic, payload) of birth or last will."""
    message = DeviceStatus(online=online, at=now, boot=broker.boot, version=broker.version)
    return up_topic(broker.device, message.kind), encode_up(message)


def session() -> Properties:
    """The broker keeps what the hub says through an hour of absence, and sends nothing endless."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = _SESSION_S
    properties.MaximumPacketSize = packets.LARGEST
    return properties


def new_only() -> SubscribeOptions:
    """A retained command comes once a session, not at every reconnection."""
    return SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)


def receive_maximum(properties: Properties | None) -> int:
    """How much the broker lets be unacknowledged (MQTT 5, 3.2.2.3.3); it cuts who sends more."""
    return int(getattr(properties, "ReceiveMaximum", 65_535))


def cut(client: mqtt.Client) -> None:
    """End the connection at once; the client's loop notices."""
    sock: Any = client.socket()
    if sock is not None:
        try:
            with _plain(sock) as plain:
                plain.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is gone already, which is what was wanted
            return


def _hasten(_client: mqtt.Client, _userdata: Any, sock: Any) -> None:
    """Small packets leave at once (else 44 ms), and a dead peer is noticed while we send.

    The kernel takes no more than it can soon send: what it holds nothing can overtake.
    """
    with _plain(sock) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)


@contextmanager
def _plain(sock: Any) -> Iterator[socket.socket]:
    """The socket itself: a client's is a wrapper that has a number and little else."""
    with socket.socket(fileno=os.dup(sock.fileno())) as plain:
        yield plain
