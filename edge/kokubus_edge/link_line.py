"""One connection of the link: how its paho client is made and what is under way on it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from kokubus.messages import DeviceStatus, Instant
from kokubus.wire import encode_up, up_topic

KEEPALIVE_S = 20
"""A dead connection is noticed after two of them, by the broker after one and a half."""
_SESSION_S = 3_600
_CONNECT_S = 15.0
_USER_TIMEOUT_MS = 40_000


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
    """One connection: its paho client and what the broker has not acknowledged."""

    def __init__(self, client: mqtt.Client, window: int) -> None:
        self.client = client
        self._window = window
        self._lock = Lock()
        self._unacked = 0

    def publish(self, topic: str, payload: bytes, *, bulk: bool, retain: bool = False) -> bool:
        """QoS 1; False if the window is full (of which bulk may fill half) or the line is cut."""
        with self._lock:
            if self._unacked >= (self._window // 2 if bulk else self._window):
                return False
            self._unacked += 1
        sent = self.client.publish(topic, payload, qos=1, retain=retain)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.acked()
            return False
        return True

    def acked(self) -> None:
        """The broker has acknowledged one."""
        with self._lock:
            self._unacked -= 1


def make_client(broker: Broker, now: Instant) -> mqtt.Client:
    """A client a connection: what paho holds unacknowledged dies with it, as it must.

    paho's own window is off: it would queue without bound, and not heed the broker's.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        broker.device,
        protocol=mqtt.MQTTv5,
        transport=broker.transport,
        reconnect_on_failure=False,
    )
    if broker.tls is not None:
        client.tls_set_context(broker.tls())
    client.connect_timeout = _CONNECT_S
    client.max_inflight_messages = 0
    client.will_set(*status(broker, now, online=False), qos=1, retain=True)
    client.on_socket_open = _hasten
    # Without it publish() would write to the socket, from a thread that does not own it.
    client.on_socket_register_write = _leave_to_the_loop
    return client


def status(broker: Broker, now: Instant, *, online: bool) -> tuple[str, bytes]:
    """(topic, payload) of birth or last will."""
    message = DeviceStatus(online=online, at=now, boot=broker.boot, version=broker.version)
    return up_topic(broker.device, message.kind), encode_up(message)


def session() -> Properties:
    """The broker keeps what the hub says through an hour of absence."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = _SESSION_S
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
    """Small packets leave at once (else 44 ms), and a dead peer is noticed while we send."""
    with _plain(sock) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)


@contextmanager
def _plain(sock: Any) -> Iterator[socket.socket]:
    """The socket itself: paho's for websockets is a wrapper that has a number and little else."""
    if isinstance(sock, socket.socket):
        yield sock
    else:
        with socket.socket(fileno=os.dup(sock.fileno())) as plain:
            yield plain


def _leave_to_the_loop(*_: object) -> None:
    """paho wakes its own loop; there is nothing to register."""
