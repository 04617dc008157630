"""A hub that listens to a real Mosquitto, and what an agent's link told."""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion
from tests.broker import Mosquitto

from kokubus.downlinks import Downlink
from kokubus.messages import DeviceStatus
from kokubus.wire import decode_up, down_topic, encode_down, up_topic
from kokubus_edge.link import Link, LinkDown, LinkUp
from kokubus_edge.link_backoff import Backoff
from kokubus_edge.link_line import Broker

PATIENCE_S = 60
DEVICE = "d-1"
UP = up_topic(DEVICE, "badge_tapped")
KEY = Ed25519PrivateKey.generate()


def wait_for(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)


class Hub:
    """Listens to everything devices say; each message once, as (topic, payload, retained)."""

    def __init__(self, port: int) -> None:
        self.heard: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "hub", protocol=mqtt.MQTTv5)
        self._client.on_message = lambda *a: self.heard.put(
            (a[2].topic, bytes(a[2].payload), a[2].retain)
        )
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("kokubus/v1/+/up/+", qos=1)
        assert subscribed.wait(PATIENCE_S)

    def say(self, message: Downlink, *, retain: bool = False, kind: str = "") -> None:
        payload = signed(message)
        topic = down_topic(DEVICE, kind or message.kind)
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def statuses(self) -> list[bool]:
        """``online`` of each status heard so far, in order."""
        heard = list(self.heard.queue)
        ups = [decode_up(topic, payload) for topic, payload, _ in heard if "status" in topic]
        return [up.message.online for up in ups if isinstance(up.message, DeviceStatus)]

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for where, payload, _ in list(self.heard.queue) if where == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def signed(message: Downlink, device: str = DEVICE) -> bytes:
    return encode_down(
        message, device=device, message_id="m", at=1, expires_at=2, kid="k", signer=KEY
    )


@contextmanager
def listening(broker: Mosquitto) -> Iterator[Hub]:
    hub = Hub(broker.port)
    try:
        yield hub
    finally:
        hub.close()


@dataclass
class Agent:
    """What the link told and received."""

    told: list[LinkUp | LinkDown] = field(default_factory=list)
    received: list[tuple[str, bytes]] = field(default_factory=list)

    def receive(self, topic: str, payload: bytes) -> None:
        self.received.append((topic, payload))

    def ups(self) -> int:
        return sum(isinstance(happening, LinkUp) for happening in self.told)

    def kinds(self) -> list[str]:
        return [topic.rsplit("/", 1)[1] for topic, _ in self.received]


@contextmanager
def linked(
    port: int,
    agent: Agent,
    *,
    window: int = 200,
    wait: bool = True,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> Iterator[Link]:
    where = Broker(device=DEVICE, host="127.0.0.1", port=port, tls=tls, boot="b", window=window)
    link = Link(
        where,
        receive=agent.receive,
        tell=agent.told.append,
        now=lambda: 1_790_000_000_000,
        backoff=Backoff(0.05, 0.2),
    )
    link.start()
    try:
        if wait:
            wait_for(agent.ups, "the first connection")
        yield link
    finally:
        assert link.close(PATIENCE_S)
