"""The listener at a real broker: through restarts, refusals and its own death."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from tests.broker import PATIENCE_S, Mosquitto, start_mosquitto
from tests.hub.intake_world import AIR, World, world
from tests.hub.listening import Devices, devices, listening

from kokubus.messages import DeviceStatus
from kokubus_hub import listen, models
from kokubus_hub.broker import Broker
from kokubus_hub.ca import Authority
from kokubus_hub.listen import Listener
from kokubus_hub.reply import Reply
from kokubus_hub.sorting import Letter

pytestmark = pytest.mark.slow
ASKED = 20


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.book(made.member())
        yield made


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with start_mosquitto(tmp_path) as made:
        yield made


@pytest.fixture
def broker(mosquitto: Mosquitto) -> Broker:
    return Broker(host="127.0.0.1", port=mosquitto.port)


@pytest.fixture
def people(broker: Broker) -> Iterator[Devices]:
    with devices(broker) as made:
        yield made


def answered(hub: World, people: Devices, *letters: Letter) -> Any:
    """The message in the first reply to them."""
    facts = [json.loads(letter.payload) for letter in letters]
    taps, numbers = {fact.get("id", "") for fact in facts}, {fact["stamp"]["seq"] for fact in facts}

    def about(reply: Reply) -> bool:
        (message,) = hub.heard([reply])
        ranges = getattr(message, "ranges", ())
        told = any(first <= seq <= last for first, last in ranges for seq in numbers)
        return told or getattr(message, "tap", None) in taps

    (message,) = hub.heard([people.ask(about, *letters)])
    return message


def until(done: Callable[[], bool]) -> None:
    """What comes with a tap may be recorded after it is answered."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def test_taps_are_answered_and_facts_receipted(hub: World, broker: Broker, people: Devices) -> None:
    with listening(hub, broker):
        assert answered(hub, people, hub.device.tap()).granted
        receipt = answered(hub, people, hub.device.read(AIR, 20.0))
        assert receipt.ranges == ((2, 2),)


def test_many_at_once_are_each_answered_once(hub: World, broker: Broker, people: Devices) -> None:
    with listening(hub, broker):
        taps = [hub.device.tapped() for _ in range(600)]
        people.say(*[hub.device.say(tap) for tap in taps])
        heard = hub.heard([people.hear() for _ in taps])
    assert {answer.tap for answer in heard} == {tap.id for tap in taps}
    assert len(hub.rows(models.AccessEvent)) == len(taps)


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
def test_it_comes_back_when_its_broker_does(
    hub: World, broker: Broker, people: Devices, mosquitto: Mosquitto, clean: bool
) -> None:
    with listening(hub, broker):
        answered(hub, people, hub.device.tap())
        mosquitto.stop() if clean else mosquitto.kill()
        mosquitto.start()
        tap = hub.device.tapped()
        assert answered(hub, people, hub.device.say(tap)).tap == tap.id


def test_a_good_bye_that_is_read_closes_the_socket_under_it(
    hub: World, broker: Broker, people: Devices
) -> None:
    """paho reports no error for a DISCONNECT that it read (MQTT 5, 3.14): it has closed."""
    good_byes = [1]

    def prepare(listener: Listener) -> None:
        take = listener._client.take

        def taken(most: int) -> Any:
            result = take(most)
            if hub.rows(models.AccessEvent) and good_byes:
                good_byes.pop()
                listener._client._sock_close()
            return result

        listener._client.take = taken  # type: ignore[method-assign]

    with listening(hub, broker, prepare):
        for _ in range(2):
            assert answered(hub, people, hub.device.tap()).granted
    assert good_byes == []


def test_it_waits_for_a_broker_that_is_not_there_yet(
    hub: World, broker: Broker, mosquitto: Mosquitto
) -> None:
    mosquitto.stop()
    with listening(hub, broker, there=False):
        mosquitto.start()
        with devices(broker) as people:
            assert answered(hub, people, hub.device.tap()).granted


def test_it_can_be_stopped_while_it_waits(hub: World, broker: Broker, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    with listening(hub, broker, there=False):
        while not [entry for entry in hub.logs if entry["event"] == "broker_unreachable"]:
            threading.Event().wait(0.05)


def test_whoever_takes_its_name_throws_it_out_but_not_for_good(
    hub: World, broker: Broker, people: Devices
) -> None:
    with listening(hub, broker):
        answered(hub, people, hub.device.tap())
        other = Client(
            CallbackAPIVersion.VERSION2, "hub:listen", protocol=MQTTProtocolVersion.MQTTv5
        )
        thrown_out = threading.Event()
        other.on_disconnect = lambda *_: thrown_out.set()
        other.on_connect_fail = lambda *_: None
        other.connect(broker.host, broker.port)
        other.loop_start()
        assert thrown_out.wait(PATIENCE_S)
        other.disconnect()
        other.loop_stop()
        assert answered(hub, people, hub.device.tap()).granted


def test_a_broker_that_refuses_is_asked_ever_more_rarely(
    hub: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "uniform", lambda _low, high: high)
    (tmp_path / "shut").mkdir()
    rests: list[float] = []

    def rest(listener: Listener, seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 7:
            listener.stop()

    monkeypatch.setattr(Listener, "_rest", rest)
    with start_mosquitto(tmp_path / "shut", extra="acl_file /dev/null") as shut:
        config = tmp_path / "shut" / "mosquitto.conf"
        config.write_text(config.read_text().replace("anonymous true", "anonymous false"))
        shut.stop()
        shut.start()
        with listening(hub, Broker(host="127.0.0.1", port=shut.port), there=False) as listener:
            while not listener._stopping:
                threading.Event().wait(0.05)
    assert rests == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert [entry for entry in hub.logs if entry["event"] == "broker_refused"]


def test_it_acknowledges_only_what_is_committed(
    hub: World, broker: Broker, people: Devices
) -> None:
    recorded: list[int] = []

    def prepare(listener: Listener) -> None:
        say = listener._client.say

        def said(data: bytes) -> None:
            recorded.append(len(hub.rows(models.AccessEvent)))
            say(data)

        listener._client.say = said  # type: ignore[method-assign]

    with listening(hub, broker, prepare):
        for _ in range(3):
            people.say(hub.device.tap())
            people.hear()
    assert recorded[:3] == [1, 2, 3]


def test_a_listener_that_dies_before_it_answers_doubles_nothing(
    hub: World, broker: Broker, people: Devices
) -> None:
    """It has committed and said nothing: the device sends again, the next one answers."""

    def prepare(listener: Listener) -> None:
        take = listener._intake.take

        def die(*letters: Any) -> Any:
            take(*letters)
            listener.stop()
            return []

        listener._intake.take = die  # type: ignore[method-assign, assignment]

    letter = hub.device.tap()
    with listening(hub, broker, prepare) as listener:
        while not listener._stopping:
            people.say(letter)
            with pytest.raises(Empty):
                people.hear(0.2)
    assert len(hub.rows(models.AccessEvent)) == 1
    with listening(hub, broker):
        assert answered(hub, people, letter).granted
    assert len(hub.rows(models.AccessEvent)) == 1


def test_two_listeners_share_the_load(hub: World, broker: Broker, people: Devices) -> None:
    with (
        listening(hub, broker, client_id="hub:listen-1", share="hub"),
        listening(hub, broker, client_id="hub:listen-2", share="hub"),
    ):
        taps = [hub.device.tapped() for _ in range(ASKED)]
        answers: dict[str, Any] = {}
        for tap in taps:
            said = hub.device.say(tap)
            while tap.id not in answers or not answers[tap.id].recorded:
                message = answered(hub, people, said)
                answers[message.tap] = message
    assert {answers[tap.id].granted for tap in taps} == {True}
    assert len(hub.rows(models.AccessEvent)) == ASKED


def test_what_the_broker_kept_is_heard_at_the_start(
    hub: World, broker: Broker, people: Devices
) -> None:
    letter = hub.device.say(DeviceStatus(online=True, at=1, boot="boot-7"))
    people._client.publish(letter.topic, letter.payload, qos=1, retain=True)
    with listening(hub, broker):
        answered(hub, people, hub.device.tap())
        until(lambda: hub.row(models.Device, "dorf-1")["boot"] == "boot-7")


def test_nonsense_at_its_topics_does_not_stop_it(
    hub: World, broker: Broker, people: Devices
) -> None:
    with listening(hub, broker):
        answered(hub, people, hub.device.tap())
        for topic in ("kokubus/v1/dorf-1/up/badge_tapped", "kokubus/v1/a/up/b/c/d"):
            for payload in (b"", b"\xff\x00", b"{" * 100_000):
                people.say(Letter(topic, payload))
        assert answered(hub, people, hub.device.tap()).granted
        until(lambda: len(hub.rows(models.DeadLetter)) >= 6)
    assert len(hub.rows(models.DeadLetter)) == 6


TLS = """
listener {port} 127.0.0.1
allow_anonymous true
certfile {folder}/server.crt
keyfile {folder}/server.key
"""


def test_over_tls_nothing_is_left_in_a_record(hub: World, tmp_path: Path) -> None:
    """TLS decrypts several packets at once, which `select` cannot see."""
    authority = Authority.create(tmp_path / "ca", hub.now)
    authority.issue_server(["127.0.0.1"], hub.now).save(tmp_path, "server")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    port = Mosquitto(tmp_path).port
    text = TLS.format(port=port, folder=tmp_path)
    with start_mosquitto(tmp_path, extra=text):
        broker = Broker(host="127.0.0.1", port=port, ca=str(ca))
        with listening(hub, broker), devices(broker) as people:
            answered(hub, people, hub.device.tap())
            taps = [hub.device.tap() for _ in range(200)]
            people.say(*taps)
            assert len([people.hear() for _ in taps]) == len(taps)
