"""Somebody else at the broker: who looks on, or pretends to be the hub or a door."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from tests.acceptance.rig.village import now
from tests.acceptance.rig.waiting import PATIENCE_S, wait_until

from kokubus import wire
from kokubus.downlinks import Downlink
from kokubus.ids import uuid7
from kokubus.messages import Instant
from kokubus_hub.keys import Keyring

Hearer = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Papers:
    """The name, certificate and key a client shows, and the authority it trusts."""

    name: str
    certificate: Path
    key: Path
    authority: Path


class Peer:
    """A client with these papers; what it subscribed to is handed to ``hear``."""

    def __init__(self, papers: Papers, port: int, hear: Hearer | None = None, *topics: str) -> None:
        self._hear = hear
        self._topics = topics
        self._ready = threading.Event()
        self._taken: set[int] = set()
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            papers.name,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.tls_set(str(papers.authority), str(papers.certificate), str(papers.key))
        client.on_connect = self._connected
        client.on_disconnect = lambda *_: self._ready.clear()
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_publish = lambda *said: self._taken.add(said[2])
        client.on_message = self._heard
        client.reconnect_delay_set(1, 1)
        client.connect_timeout = PATIENCE_S
        client.connect("127.0.0.1", port)
        client.loop_start()
        self.wait_here()

    def wait_here(self) -> None:
        """Until it hears what is said: it comes back by itself where the broker has died."""
        wait_until(self._ready.is_set, "a peer to be connected to the broker")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1, and the broker has it; not to be called by ``hear``.

        Somebody thrown out by another with the same papers says it when it is back.
        """
        said = self._client.publish(topic, payload, qos=1, retain=retain)
        wait_until(lambda: said.mid in self._taken, "the broker to take what a peer says")
        self._taken.discard(said.mid)

    def answer(self, topic: str, payload: bytes) -> None:
        """QoS 1, from within ``hear``."""
        self._client.publish(topic, payload, qos=1)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, *_: Any) -> None:
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._ready.set()

    def _heard(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if self._hear is not None:
            self._hear(message.topic, bytes(message.payload))


def signed(
    keyring: Keyring,
    device: str,
    message: Downlink,
    *,
    at: Instant | None = None,
    life_ms: int = 600_000,
) -> bytes:
    """A message as the hub signs it, said at ``at`` (now)."""
    at = now() if at is None else at
    return wire.encode_down(
        message,
        device=device,
        message_id=uuid7(at, os.urandom(10)),
        at=at,
        expires_at=at + life_ms,
        kid=keyring.kid,
        signer=keyring.signing,
    )
