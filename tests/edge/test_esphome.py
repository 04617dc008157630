"""ESPHome nodes on the site's own broker: what counts, what is ignored, and who is missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.broker import Mosquitto

from kokubus.messages import Side
from kokubus.site import Sensor
from kokubus_edge.esphome import EspHome, number
from kokubus_edge.settings import LocalBroker

PATIENCE_S = 60
CO2, BEAM, PIR = "dorf-co2", "dorf-beam", "dorf-pir"


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"612.5", 612.5),
        (b" 21 ", 21.0),
        (b"-1", -1.0),
        (b"ON", 1.0),
        (b"off", 0.0),
        (b"", None),
        (b"unavailable", None),
        (b"\xff\xfe", None),
        (b"1" * 10_000, float("1" * 32)),
    ],
)
def test_a_nodes_words_are_numbers_or_nothing(payload: bytes, value: float | None) -> None:
    assert number(payload) == value


def sensor(name: str, quantity: str) -> Sensor:
    about = {"id": name, "room": "r", "quantity": quantity, "kind": "esphome", "device": "d"}
    return Sensor.model_validate(about | {"topic": f"node/sensor/{quantity}/state"})


SENSORS = [sensor(CO2, "co2"), sensor(BEAM, "beam"), sensor(PIR, "pir")]


LAST = (CO2, 399.0)
"""Said after everything else."""


class Node:
    """A room node, and an agent that listens."""

    def __init__(self, broker: Mosquitto, **login: Any) -> None:
        self.crossed: list[tuple[str, Side]] = []
        self.agent = EspHome(
            LocalBroker("127.0.0.1", broker.port, **login),
            SENSORS,
            client_id="kokubus-dorf-1",
            crossed=lambda name, side: self.crossed.append((name, side)),
        )
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def say(self, quantity: str, payload: str, *, retain: bool = False) -> None:
        topic = f"node/sensor/{quantity}/state"
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def status(self, word: str) -> None:
        self.client.publish("node/status", word, qos=1, retain=True).wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        self.agent.close()
        self.client.disconnect()
        self.client.loop_stop()

    def until_heard(self, quantity: str, payload: str) -> dict[str, float]:
        """Say it again and again until the agent, which may be connecting, has heard it.

        What was said too often is heard as well: up to a reading that nobody else says.
        """
        ids, heard = {one.quantity: one.id for one in SENSORS}, dict[str, float]()
        for _ in range(PATIENCE_S * 10):
            self.say(quantity, payload)
            if ids[quantity] in self._more(heard):
                break
            threading.Event().wait(0.1)
        self.say("co2", str(LAST[1]))
        for _ in range(PATIENCE_S * 10):
            if self._more(heard).pop("last", None):
                return heard
            threading.Event().wait(0.1)
        pytest.fail("the agent hears nothing")

    def _more(self, heard: dict[str, float]) -> dict[str, float]:
        """``heard`` with what was said since; ``last`` is there once that has come."""
        for name, value in self.read().items():
            if (name, value) == LAST:
                heard["last"] = True
            else:
                heard[name] = max(value, heard.get(name, value))
        return heard

    def read(self) -> dict[str, float]:
        try:
            return self.agent.read()
        except OSError:
            return {}


def ask_for_ever(node: Node) -> None:
    for _ in range(PATIENCE_S * 10):
        node.agent.read()
        threading.Event().wait(0.1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def node(broker: Mosquitto) -> Iterator[Node]:
    made = Node(broker)
    yield made
    made.close()


@pytest.mark.slow
def test_what_a_node_says_is_read_once(node: Node) -> None:
    with pytest.raises(OSError, match="not reached yet"):
        node.agent.read()
    node.agent.start()
    assert node.until_heard("co2", "612.5") == {CO2: 612.5}
    node.say("pir", "ON")
    node.say("co2", "unavailable")
    node.say("beam", "1")
    node.say("beam", "-1")
    node.say("beam", "17")
    assert node.until_heard("co2", "620") == {CO2: 620.0, PIR: 1.0}
    assert node.crossed == [(BEAM, Side.IN), (BEAM, Side.OUT)]
    assert node.agent.read() == {}
    assert node.agent.sensors == {CO2, PIR, BEAM}


@pytest.mark.slow
def test_what_a_broker_has_kept_is_no_news(node: Node) -> None:
    node.say("co2", "900", retain=True)
    node.say("beam", "1", retain=True)
    node.agent.start()
    assert node.until_heard("pir", "OFF") == {PIR: 0.0}
    assert node.crossed == []


@pytest.mark.slow
def test_a_broker_that_dies_is_a_reason_and_comes_back_by_itself(
    node: Node, broker: Mosquitto
) -> None:
    node.agent.start()
    node.until_heard("co2", "612")
    broker.kill()
    with pytest.raises(OSError, match="is mosquitto at work"):
        ask_for_ever(node)
    broker.start()
    node.client.reconnect()
    assert node.until_heard("co2", "640") == {CO2: 640.0}


@pytest.mark.slow
def test_a_calm_node_is_told_from_a_dead_one(node: Node) -> None:
    """A PIR that sees nobody and a beam that nobody breaks say nothing; their node does."""
    node.status("online")
    node.say("pir", "OFF", retain=True)
    node.agent.start()
    node.until_heard("co2", "612")
    for _ in range(2):
        assert node.agent.read() == {PIR: 0.0, BEAM: 0.0}
    node.say("pir", "ON")
    node.say("pir", "OFF")
    assert node.until_heard("co2", "613")[PIR] == 1.0
    assert node.agent.read() == {PIR: 0.0, BEAM: 0.0}
    node.status("offline")
    node.until_heard("co2", "614")
    assert not {PIR, BEAM} & node.read().keys()
