"""How ``serve`` and ``work`` publish: a connection that comes back by itself.

What cannot be published now is refused now. Nothing waits here for the broker to return: a
command would come too late, and a policy would no longer be the newest.
"""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock
from types import TracebackType
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kokubus.errors import KokubusError
from kokubus_hub.broker import Broker, no_delay

IN_FLIGHT = 100
WAITING = 2_000
"""Messages the broker has not acknowledged yet; beyond it is not taking any."""
KEEPALIVE_S = 20
_UNLIMITED, _HEAD = 268_435_455, 32
"""Bytes of any packet, and of what stands before topic and payload at most."""
log = structlog.get_logger()


class PublishError(KokubusError):
    """The broker is away, does not keep up, or refused a message."""


class Publisher:
    """A client of the broker that only publishes. `close` it, or use it in a ``with``.

    ``connections`` counts how often it connected: what is retained or was under way may be lost
    whenever that number has grown.
    """

    def __init__(self, broker: Broker, client_id: str) -> None:
        self.connections = 0
        self._where = f"{broker.host}:{broker.port}"
        self._waiting: dict[int, Future[None]] = {}
        self._early: dict[int, Future[None]] = {}
        self._largest = _UNLIMITED
        self._lock = Lock()
        self._client = self._made(broker, client_id)
        self._client.connect_async(broker.host, broker.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker can be published to now."""
        return self._client.is_connected()

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, life_s: int | None = None
    ) -> Future[None]:
        """Publish at QoS 1; the future is done once the broker has acknowledged it.

        What was under way when the connection broke is sent again on the next one, and what it
        broke under is sent then.
        ``life_s`` is how long the broker keeps it for a device that is away. Raises
        `PublishError` at once if the broker is away, too much is unacknowledged, or the message
        is larger than the broker takes: it would end the connection, now and at every return.
        """
        if len(topic) + len(payload) + _HEAD > self._largest:
            raise PublishError(
                f"{topic}: {len(payload)} bytes are more than the broker at {self._where} takes; "
                "raise its max_packet_size"
            )
        if not self.connected:
            raise PublishError(f"the broker at {self._where} is away; nothing was published")
        if len(self._waiting) >= WAITING:
            raise PublishError(f"the broker at {self._where} does not keep up")
        sent = self._client.publish(topic, payload, 1, retain, _lasting(life_s))
        if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # else paho has it, connected or not
            raise PublishError(f"the broker at {self._where} does not keep up")
        with self._lock:  # not around paho's publish: its callbacks hold a lock of its own
            return self._early.pop(sent.mid, None) or self._waiting.setdefault(sent.mid, Future())

    def close(self) -> None:
        """Disconnect; what was not acknowledged fails."""
        self._client.disconnect()
        self._client.loop_stop()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(PublishError("the publisher was closed"))

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _made(self, broker: Broker, client_id: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.reconnect_delay_set(1, 5)
        context = broker.context()
        if context is not None:
            client.tls_set_context(context)
        client.on_socket_open = no_delay
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._acknowledged
        return client

    def _connected(
        self,
        _client: Client,
        _data: Any,
        _flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            log.error("broker_refused", broker=self._where, code=str(code))
            return
        self._largest = int(getattr(properties, "MaximumPacketSize", _UNLIMITED))
        self.connections += 1
        log.info("publishing", broker=self._where)

    def _disconnected(
        self,
        _client: Client,
        _data: Any,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if code.is_failure:
            log.warning("broker_lost", broker=self._where, code=str(code))

    def _acknowledged(
        self,
        _client: Client,
        _data: Any,
        mid: int,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._lock:
            future = self._waiting.pop(mid, None)
            if future is None:  # acknowledged before `publish` came to note its number
                future = self._early.setdefault(mid, Future())
        if code.is_failure:
            future.set_exception(PublishError(f"the broker at {self._where} refused: {code}"))
        else:
            future.set_result(None)


def _lasting(life_s: int | None) -> Properties | None:
    if life_s is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.MessageExpiryInterval = life_s
    return properties
