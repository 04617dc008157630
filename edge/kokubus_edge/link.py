"""The connection to the hub's broker: MQTT 5 (OASIS standard) through paho, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeAlias

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from kokubus.downlinks import PolicySnapshot
from kokubus.messages import Instant
from kokubus.packets import Acknowledged
from kokubus.wire import DOWNLINKS, down_topic
from kokubus_edge.link_backoff import Backoff
from kokubus_edge.link_client import DoorClient
from kokubus_edge.link_line import (
    KEEPALIVE_S,
    Broker,
    Line,
    cut,
    make_client,
    new_only,
    receive_maximum,
    session,
    status,
)

log = structlog.get_logger(__name__)

_SETTLED_S = 10.0
_TURN_S = 1.0


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Connected and subscribed; ``resumed`` if the broker kept the session."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The connection is gone."""

    why: str


Tell: TypeAlias = Callable[[LinkUp | LinkDown], None]


class Link:
    """Keeps a connection up, in its own thread, until it is closed.

    ``receive(topic, payload)`` and ``tell`` are called from that thread. ``now`` is wall time
    in milliseconds. What does not fit the broker's window is refused, never queued: the spool
    alone remembers. ``overhear`` gets what happens now and what comes.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        receive: Callable[[str, bytes], None],
        tell: Tell,
        now: Callable[[], Instant],
        backoff: Backoff | None = None,
        overhear: Callable[[str, bytes], None] = lambda _topic, _payload: None,
    ) -> None:
        self._broker = broker
        self._receive = receive
        self._tell = tell
        self._now = now
        self._backoff = backoff or Backoff()
        self._overhear = overhear
        self._line: Line | None = None
        self._client: DoorClient | None = None
        self._policy_topic = down_topic(broker.device, PolicySnapshot.kind)
        self._policy_wanted = False
        self._up_since = 0.0
        self._closing = Event()
        self._thread = Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Begin to connect; `LinkUp` is told once it succeeded."""
        self._thread.start()

    @property
    def up(self) -> bool:
        """Whether the hub can be asked now."""
        return self._line is not None

    def send(self, topic: str, payload: bytes, *, bulk: bool = False) -> bool:
        """Hand a message to the network; never waits.

        False if there is no connection or too much is unacknowledged: the spool sends it
        again. ``bulk`` (a backlog) leaves half of the window to what happens now.
        """
        if not bulk:
            self._overhear(topic, payload)
        line = self._line
        return line is not None and line.publish(topic, payload, bulk=bulk)

    def fetch_policy(self) -> None:
        """Ask the broker for the retained policy snapshot, now or once connected.

        The subscription ends with the first snapshot: the hub publishes one at every change,
        and those need not travel while deltas do.
        """
        self._policy_wanted = True
        line = self._line
        if line is not None:
            self._subscribe_policy(line.client)

    def close(self, timeout_s: float = 3.0) -> bool:
        """Have the broker publish the last will, disconnect; False if the thread is stuck."""
        self._closing.set()
        if not self._thread.is_alive():
            return True
        line, client = self._line, self._client
        if line is not None:
            with_will = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
            line.client.disconnect(with_will)
            self._thread.join(timeout_s / 2)
        if self._thread.is_alive() and client is not None:
            cut(client)
        self._thread.join(timeout_s / 2)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._lost(self._serve())
            self._closing.wait(self._backoff.next_s())

    def _serve(self) -> str:
        """Connect and serve one connection to its end; says why it ended."""
        try:
            client = self._client = self._make_client()
            client.connect(
                self._broker.host,
                self._broker.port,
                KEEPALIVE_S,
                clean_start=False,
                properties=session(),
            )
            result = MQTTErrorCode.MQTT_ERR_SUCCESS
            while result == MQTTErrorCode.MQTT_ERR_SUCCESS and not self._cut_short():
                result = client.turn(_TURN_S)
            return mqtt.error_string(result)
        except OSError as error:
            return str(error)
        except Exception as error:
            log.exception("link_failed")
            return str(error)

    def _cut_short(self) -> bool:
        """Closed before it was up: nothing to say good-bye to."""
        return self._closing.is_set() and self._line is None

    def _lost(self, why: str) -> None:
        client, self._client = self._client, None
        was_up, self._line = self._line is not None, None
        if client is not None:
            cut(client)
            client.release()
        if was_up:
            if monotonic() - self._up_since > _SETTLED_S:
                self._backoff.reset()
            log.warning("link_down", why=why)
            self._tell(LinkDown(why))
        elif not self._closing.is_set():
            log.info("link_not_made", why=why)

    def _make_client(self) -> DoorClient:
        client = make_client(self._broker, self._now())
        client.on_connect = partial(self._connected, client)
        client.on_subscribe = _subscribed
        client.heard = self._heard
        client.acked = self._acked
        return client

    def _connected(
        self,
        client: DoorClient,
        _client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.error("link_refused", why=str(reason))
            return
        line = Line(client, min(self._broker.window, receive_maximum(properties)))
        client.subscribe([(topic, new_only()) for topic in self._topics()])
        line.publish(*status(self._broker, self._now(), online=True), bulk=False, retain=True)
        self._line, self._up_since = line, monotonic()
        if self._policy_wanted:
            self._subscribe_policy(client)
        log.info("link_up", resumed=flags.session_present)
        self._tell(LinkUp(flags.session_present))

    def _acked(self, acknowledged: Acknowledged) -> None:
        if acknowledged.refused:  # such as 0x87: its rules do not let this device say that
            codes = sorted({hex(code) for code in acknowledged.refused})
            log.warning("broker_refused", messages=len(acknowledged.refused), codes=codes)
        if self._line is not None:
            self._line.acked(acknowledged.mids)

    def _topics(self) -> list[str]:
        kinds = (kind for kind in DOWNLINKS if kind != PolicySnapshot.kind)
        return [down_topic(self._broker.device, kind) for kind in kinds]

    def _subscribe_policy(self, client: mqtt.Client) -> None:
        client.subscribe(self._policy_topic, options=SubscribeOptions(qos=1))

    def _heard(self, topic: str, payload: bytes) -> None:
        if topic == self._policy_topic and self._client is not None:
            self._policy_wanted = False
            self._client.unsubscribe(self._policy_topic)
        try:
            self._overhear(topic, payload)
            self._receive(topic, payload)
        except Exception:  # unacknowledged it would come again at every reconnection
            log.exception("downlink_failed", topic=topic)


def _subscribed(
    _client: mqtt.Client,
    _userdata: Any,
    _mid: int,
    reasons: list[ReasonCode],
    _properties: Properties | None,
) -> None:
    """A door that hears nothing decides everything by itself; somebody has to be told why."""
    if refused := sorted({str(reason) for reason in reasons if reason.is_failure}):
        log.error("subscription_refused", why=refused)
