"""Case 14, first half: a device speaks for itself alone, whatever it claims at the broker."""

from __future__ import annotations

from collections.abc import Iterator

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, SECOND, SIDE
from tests.acceptance.rig.waiting import PATIENCE_S, wait_until

from kokubus import wire
from kokubus_hub import models

pytestmark = pytest.mark.slow
REFUSED = "Not authorized"
UNKNOWN = "1E034A5B"


class Rogue:
    """Somebody with the first device's key, and what the broker says to them."""

    def __init__(self, network: Network, client_id: str = FIRST, user: str = "") -> None:
        self.network = network
        self.codes: list[str] = []
        self._connected: list[str] = []
        self.client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5
        )
        tls, papers = network.hub_folder / "mosquitto/tls", network.folder / FIRST / "identity"
        client.tls_set(str(tls / "ca.crt"), str(papers / "device.crt"), str(papers / "device.key"))
        if user:
            client.username_pw_set(user, "whatever")
        client.on_connect = lambda *a: self._connected.append(str(a[3]))
        client.on_publish = lambda *a: self.codes.append(str(a[3]))
        client.on_subscribe = lambda *a: self.codes.append(str(a[3][0]))
        client.connect_timeout = PATIENCE_S
        client.connect("127.0.0.1", network.broker.device_port)
        client.loop_start()
        wait_until(lambda: self._connected, "the rogue to be let in as who it is")

    def publish(self, device: str, kind: str = "status") -> str:
        payload = b'{"v":1,"kind":"status","online":false,"at":1}'
        self.client.publish(wire.up_topic(device, kind), payload, qos=1)
        wait_until(lambda: self.codes, "the broker's word")
        return self.codes.pop()

    def subscribe(self, topic: str) -> str:
        self.client.subscribe(topic, qos=1)
        wait_until(lambda: self.codes, "the broker's word")
        return self.codes.pop()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def network(make_network: MakeNetwork) -> Network:
    """The second device is at work; the first one's key is in other hands."""
    made = make_network()
    made.start(SECOND)
    return made


@pytest.fixture
def rogue(network: Network) -> Iterator[Rogue]:
    made = Rogue(network)
    yield made
    made.close()


def online(network: Network, device: str) -> bool:
    return bool(network.village.rows(models.Device, slug=device)[0].online)


def test_its_certificate_on_anothers_topic_is_refused_by_the_broker(
    network: Network, rogue: Rogue
) -> None:
    wait_until(lambda: online(network, SECOND), "the second device to be known as online")
    assert rogue.publish(SECOND) == REFUSED
    assert rogue.publish(SECOND, "badge_tapped") == REFUSED
    assert rogue.publish(FIRST) == "Success"
    assert online(network, SECOND)


def test_it_does_not_hear_what_is_for_another(network: Network, rogue: Rogue) -> None:
    """A subscription may be granted, since rules look at each message; nothing comes by it."""
    heard: list[str] = []
    rogue.client.on_message = lambda *a: heard.append(a[2].topic)
    rogue.subscribe("kokubus/v1/+/down/#")
    hub = network.peer()
    for device in (SECOND, FIRST):
        hub.publish(wire.down_topic(device, "unlock"), b"for whom it is")
    wait_until(lambda: heard, "what is for the rogue itself")
    assert heard == [wire.down_topic(FIRST, "unlock")]


@pytest.mark.parametrize(("client_id", "user"), [(SECOND, ""), (FIRST, SECOND), (SECOND, SECOND)])
def test_its_key_with_anothers_name_is_still_only_itself(
    network: Network, client_id: str, user: str
) -> None:
    """Neither client id nor user name counts, so the other is not thrown out either."""
    ups = network.agents[SECOND].process.said("link_up")
    rogue = Rogue(network, client_id, user)
    try:
        assert rogue.publish(SECOND) == REFUSED
        assert rogue.publish(FIRST) == "Success"
    finally:
        rogue.close()
    assert network.agents[SECOND].tap(SIDE, UNKNOWN)["by"] == "hub"
    assert network.agents[SECOND].process.said("link_down") == 0
    assert network.agents[SECOND].process.said("link_up") == ups
