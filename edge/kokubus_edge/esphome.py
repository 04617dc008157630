"""What ESPHome nodes say on the site's own broker.

A node publishes each sensor's value as text, retained (ESPHome, MQTT client component); what a
broker has kept may be of a node that died last year, so only what is published now counts. A PIR
or a light beam speaks only when something happens: there the node's own word that it is online,
which the broker takes back when the node is gone, tells calm from dead. Any device that publishes
a number, or ON and OFF, will do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from kokubus.messages import Side
from kokubus.site import Sensor
from kokubus_edge.settings import LocalBroker

WORDS = {"ON": 1.0, "OFF": 0.0}
LONGEST = 32
RETRY_S = 30
log = structlog.get_logger(__name__)


class EspHome:
    """Listens to the nodes; asked for their newest values it is a source of readings.

    ``crossed`` is told each crossing of a beam: 1 is in, -1 is out.
    """

    def __init__(
        self,
        broker: LocalBroker,
        sensors: Iterable[Sensor],
        *,
        client_id: str,
        crossed: Callable[[str, Side], None],
    ) -> None:
        self._sensors = {sensor.topic: sensor for sensor in sensors if sensor.topic is not None}
        self._broker, self._crossed = broker, crossed
        self._nodes = {f"{_node(topic)}/status": _node(topic) for topic in self._sensors}
        self._online: set[str] = set()
        self._lock = threading.Lock()
        self._fresh: dict[str, float] = {}
        self._pir: dict[str, float] = {}
        self._said: str | None = "the site's own broker was not reached yet"
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._lost
        self._client.on_message = self._heard
        self._client.reconnect_delay_set(1, RETRY_S)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)

    @property
    def sensors(self) -> frozenset[str]:
        """All of them: each is missed once it is silent."""
        return frozenset(sensor.id for sensor in self._sensors.values())

    def start(self) -> None:
        """Connect in a thread of paho's own, and again whenever it is lost."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()

    def close(self) -> None:
        """Say good-bye and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def read(self) -> dict[str, float]:
        """What was said since this was last asked; `OSError` if there is nobody to listen to."""
        with self._lock:
            fresh, self._fresh = self._calm() | self._fresh, {}
            said = self._said
        if said is not None and not fresh:
            raise OSError(said)
        return fresh

    def _calm(self) -> dict[str, float]:
        """What rests as it was, at nodes that are online; a beam only says that it is at work."""
        alive = [one for topic, one in self._sensors.items() if _node(topic) in self._online]
        beams = {one.id: 0.0 for one in alive if one.quantity == "beam"}
        return beams | {one.id: self._pir[one.id] for one in alive if one.id in self._pir}

    def _connected(self, client: Client, *about: Any) -> None:
        reason = about[2]
        if reason.is_failure:
            self._say(f"the site's own broker refuses: {reason}")
            return
        self._say(None)
        client.subscribe([(topic, 0) for topic in (*self._sensors, *self._nodes)])

    def _lost(self, *about: Any) -> None:
        del about
        self._online.clear()
        self._say("the site's own broker does not answer: is mosquitto at work on this device?")

    def _heard(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        del client, userdata
        if message.topic in self._nodes:
            come = message.payload == b"online"
            (self._online.add if come else self._online.discard)(self._nodes[message.topic])
            return
        sensor = self._sensors.get(message.topic)
        if sensor is None or (message.retain and sensor.quantity != "pir"):
            return
        value = number(message.payload)
        if value is None:
            log.warning("sensor_said_no_number", sensor=sensor.id)
        elif sensor.quantity == "beam":
            self._passed(sensor, value)
        else:
            self._keep(sensor, value, retained=message.retain)

    def _keep(self, sensor: Sensor, value: float, *, retained: bool) -> None:
        """A short motion between two questions is not lost: it stays the newest until asked."""
        with self._lock:
            if sensor.quantity == "pir":
                self._pir[sensor.id] = value
                value = max(value, self._fresh.get(sensor.id, 0.0))
            if not retained:
                self._fresh[sensor.id] = value

    def _passed(self, sensor: Sensor, value: float) -> None:
        if abs(value) == 1:
            self._crossed(sensor.id, Side.IN if value > 0 else Side.OUT)

    def _say(self, why: str | None) -> None:
        with self._lock:
            self._said = why


def _node(topic: str) -> str:
    """The node a topic belongs to: what stands before its kind of component."""
    return topic.partition("/sensor/")[0].partition("/binary_sensor/")[0]


def number(payload: bytes | bytearray) -> float | None:
    """A node's value, ON and OFF as 1 and 0; None for what is no number."""
    try:
        text = payload[:LONGEST].decode().strip()
        return WORDS[text.upper()] if text.upper() in WORDS else float(text)
    except ValueError:
        return None
