"""A listener in a thread, and a client at its broker who speaks for devices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from tests.broker import PATIENCE_S
from tests.hub.intake_world import World

from kokubus_hub.broker import Broker
from kokubus_hub.intake import Intake
from kokubus_hub.listen import Listener
from kokubus_hub.reply import Reply
from kokubus_hub.sorting import Letter


class Devices:
    """Publishes letters and hears all that goes down; comes back when the broker does."""

    def __init__(self, broker: Broker) -> None:
        self._heard: SimpleQueue[Reply] = SimpleQueue()
        self._subscribed = threading.Event()
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, "devices", protocol=MQTTProtocolVersion.MQTTv5
        )
        if broker.ca:
            client.tls_set(broker.ca)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda c, *_: c.subscribe("kokubus/v1/+/down/#", qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_disconnect = lambda *_: self._subscribed.clear()
        client.on_message = self._hear
        client.connect(broker.host, broker.port)
        client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def say(self, *letters: Letter) -> None:
        """The broker has them; whether anybody listens is another matter."""
        assert self._subscribed.wait(PATIENCE_S)
        said = [self._client.publish(one.topic, one.payload, qos=1) for one in letters]
        for each in said:
            each.wait_for_publish(PATIENCE_S)

    def hear(self, timeout_s: float = PATIENCE_S) -> Reply:
        """The next thing said to a device; `queue.Empty` if there is none."""
        return self._heard.get(timeout=timeout_s)

    def ask(self, about: Callable[[Reply], bool], *letters: Letter) -> Reply:
        """Say it again and again, as a spool does, until something is replied ``about`` it.

        Whoever asks again may be answered again: what was asked before is passed over.
        """
        for _ in range(PATIENCE_S):
            self.say(*letters)
            with suppress(Empty):
                while not about(reply := self.hear(1.0)):
                    pass
                return reply
        raise AssertionError("nobody listens")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._heard.put(Reply(message.topic, bytes(message.payload)))


@contextmanager
def devices(broker: Broker) -> Iterator[Devices]:
    made = Devices(broker)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def listening(
    hub: World,
    broker: Broker,
    prepare: Callable[[Listener], None] = lambda _: None,
    *,
    there: bool = True,
    **how: Any,
) -> Iterator[Listener]:
    """A listener at work, at once if its broker is ``there``; at the end it has stopped."""
    intake, subscribed = Intake(hub.engine, hub.keyring), threading.Event()
    listener = Listener(intake, broker, now=lambda: hub.now, **how)
    listener._client.on_subscribe = lambda *_: subscribed.set()
    prepare(listener)
    thread = threading.Thread(target=listener.run)
    thread.start()
    try:
        assert not there or subscribed.wait(PATIENCE_S)
        yield listener
    finally:
        listener.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
