"""Where the hub's broker is, and how to prove there who we are."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client

from kokubus_hub.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is; ``ca`` None means plain TCP, for loopback only."""

    host: str
    port: int
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Broker:
        """The broker the hub's settings name."""
        ca, cert, key = (
            str(path) if path else None
            for path in (settings.mqtt_ca, settings.mqtt_cert, settings.mqtt_key)
        )
        return cls(host=settings.mqtt_host, port=settings.mqtt_port, ca=ca, cert=cert, key=key)

    def context(self) -> ssl.SSLContext | None:
        """The TLS context that proves who we are and checks who they are."""
        if self.ca is None:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        return context


def no_delay(_client: Client, _data: Any, sock: Any) -> None:
    """Nagle's algorithm turns a QoS 1 round trip of 0.3 ms into 44 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
