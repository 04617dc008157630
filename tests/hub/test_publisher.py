"""Publishing to a real broker: acknowledged, refused while it is away, back by itself."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from tests.broker import PATIENCE_S, Mosquitto, start_mosquitto

from kokubus_hub.broker import Broker
from kokubus_hub.publisher import Publisher, PublishError

pytestmark = pytest.mark.slow

NO_SUCH_TOPIC = "topic write allowed/#\ntopic read #\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    rules = tmp_path / "acl"
    rules.write_text(NO_SUCH_TOPIC)
    with start_mosquitto(tmp_path, extra=f"acl_file {rules}") as running:
        yield running


@pytest.fixture
def publisher(broker: Mosquitto) -> Iterator[Publisher]:
    with Publisher(Broker(host="127.0.0.1", port=broker.port), "hub:test") as made:
        wait(lambda: made.connected)
        yield made


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@contextmanager
def heard(broker: Mosquitto) -> Iterator[queue.Queue[tuple[str, bytes, bool]]]:
    messages: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
    subscribed: queue.Queue[None] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda *_: client.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.on_message = lambda _c, _d, m: messages.put((m.topic, m.payload, m.retain))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        subscribed.get(timeout=PATIENCE_S)
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def messages(broker: Mosquitto) -> Iterator[queue.Queue[tuple[str, bytes, bool]]]:
    with heard(broker) as found:
        yield found


def test_what_is_acknowledged_was_published(
    publisher: Publisher, messages: queue.Queue[tuple[str, bytes, bool]]
) -> None:
    sent = [publisher.publish("allowed/a", str(number).encode()) for number in range(300)]
    for future in sent:
        future.result(PATIENCE_S)
    got = [messages.get(timeout=PATIENCE_S) for _ in range(300)]
    assert got == [("allowed/a", str(number).encode(), False) for number in range(300)]


def test_a_retained_message_is_there_for_who_comes_later(
    publisher: Publisher, broker: Mosquitto
) -> None:
    publisher.publish("allowed/a", b"kept", retain=True).result(PATIENCE_S)
    with heard(broker) as found:
        assert found.get(timeout=PATIENCE_S) == ("allowed/a", b"kept", True)


def test_what_the_broker_refuses_is_an_error(publisher: Publisher) -> None:
    with pytest.raises(PublishError, match="refused"):
        publisher.publish("elsewhere", b"x").result(PATIENCE_S)


def test_while_the_broker_is_away_publishing_is_refused_then_goes_on(
    publisher: Publisher, broker: Mosquitto
) -> None:
    broker.kill()
    wait(lambda: not publisher.connected)
    with pytest.raises(PublishError, match="is away"):
        publisher.publish("allowed/a", b"x")
    broker.start()
    wait(lambda: publisher.connections == 2)
    publisher.publish("allowed/a", b"x").result(PATIENCE_S)


def test_what_the_connection_broke_under_is_not_said_to_be_refused(
    publisher: Publisher, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent once the broker is back: nobody may be told that nothing was published."""
    broker.kill()
    wait(lambda: not publisher.connected)
    with monkeypatch.context() as broken:
        broken.setattr(Publisher, "connected", property(lambda _self: True))
        sent = publisher.publish("allowed/a", b"x")
    assert not sent.done()
    broker.start()
    sent.result(PATIENCE_S)


def test_a_broker_that_comes_later_is_found(tmp_path: Path) -> None:
    late = Mosquitto(tmp_path)
    with Publisher(Broker(host="127.0.0.1", port=late.port), "hub:test") as publisher:
        with pytest.raises(PublishError, match="is away"):
            publisher.publish("a", b"x")
        try:
            late.start()
            wait(lambda: publisher.connected)
            publisher.publish("a", b"x").result(PATIENCE_S)
        finally:
            late.stop()


def test_no_more_is_taken_than_the_broker_acknowledges(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokubus_hub.publisher.WAITING", 0)
    with pytest.raises(PublishError, match="does not keep up"):
        publisher.publish("allowed/a", b"x")


def test_what_the_broker_would_not_take_harms_nobody_else(tmp_path: Path) -> None:
    """It answers with the end of the connection, and a message under way is sent again on each."""
    with (
        start_mosquitto(tmp_path, extra="max_packet_size 3000") as broker,
        heard(broker) as messages,
        Publisher(Broker(host="127.0.0.1", port=broker.port), "hub:test") as publisher,
    ):
        wait(lambda: publisher.connected)
        with pytest.raises(PublishError, match="allowed/x: 3000 bytes are more than"):
            publisher.publish("allowed/x", bytes(3_000))
        publisher.publish("allowed/x", bytes(2_900)).result(PATIENCE_S)
        assert len(messages.get(timeout=PATIENCE_S)[1]) == 2_900
        assert publisher.connections == 1
