"""firmware_configs/mosquitto keeps devices apart, on a real Mosquitto."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.broker_world import PATIENCE_S, Issuer, World, running

REFUSED = "Not authorized"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path / "broker") as world:
        for name in ("door-a", "door-b"):
            world.issuer.issue(name)
        yield world


def test_a_device_speaks_and_listens_on_its_own_topics(world: World) -> None:
    hub, device = world.hub(), world.device("door-a")
    hub.subscribe("kokubus/v1/+/up/#")
    device.subscribe("kokubus/v1/door-a/down/#")
    assert device.publish("kokubus/v1/door-a/up/badge_tapped", "tap") == "Success"
    assert hub.next() == ("kokubus/v1/door-a/up/badge_tapped", "tap")
    hub.publish("kokubus/v1/door-a/down/access_decided", "answer")
    assert device.next() == ("kokubus/v1/door-a/down/access_decided", "answer")


@pytest.mark.parametrize(
    "topic",
    [
        "kokubus/v1/door-b/up/badge_tapped",
        "kokubus/v1/door-b/down/access_decided",
        "kokubus/v1/door-a/down/access_decided",
        "kokubus/v1/door-a",
        "kokubus/v2/door-a/up/badge_tapped",
        "elsewhere",
    ],
)
def test_a_device_cannot_publish_elsewhere(world: World, topic: str) -> None:
    hub, device = world.hub(), world.device("door-a")
    hub.subscribe("#")
    assert device.publish(topic, "forged") == REFUSED
    device.publish("kokubus/v1/door-a/up/status", "afterwards")
    assert hub.next() == ("kokubus/v1/door-a/up/status", "afterwards")


@pytest.mark.parametrize("topic", ["kokubus/v1/door-b/down/#", "kokubus/v1/+/down/#", "#"])
def test_a_device_hears_nothing_meant_for_another(world: World, topic: str) -> None:
    hub, device = world.hub(), world.device("door-a")
    hub.publish("kokubus/v1/door-b/down/policy", "retained for b", retain=True)
    device.subscribe(topic)
    device.subscribe("kokubus/v1/door-a/down/policy")
    hub.publish("kokubus/v1/door-b/down/policy", "for b")
    hub.publish("kokubus/v1/door-a/down/policy", "for a")
    assert device.next() == ("kokubus/v1/door-a/down/policy", "for a")


def test_a_device_that_borrows_a_client_id_throws_nobody_out(world: World) -> None:
    hub, honest = world.hub(), world.device("door-b")
    hub.subscribe("kokubus/v1/+/up/status")
    thief = world.device("door-a", client_id="door-b")
    assert thief.publish("kokubus/v1/door-b/up/status", "forged") == REFUSED
    assert honest.publish("kokubus/v1/door-b/up/status", "still here") == "Success"
    assert hub.next() == ("kokubus/v1/door-b/up/status", "still here")


def test_nobody_enters_without_a_certificate(world: World) -> None:
    assert world.attempt(None, "door-a").next() == ("lost", "")


def test_nobody_enters_with_a_certificate_of_another_issuer(world: World, tmp_path: Path) -> None:
    forger = Issuer(tmp_path, "ca")
    forger.issue("door-a")
    for kind in ("crt", "key"):
        (tmp_path / f"door-a.{kind}").rename(world.directory / "tls" / f"forged.{kind}")
    assert world.attempt("forged", "door-a").next() == ("lost", "")


def test_a_device_does_not_enter_by_the_hubs_door(world: World) -> None:
    assert world.attempt("door-a", "door-b", port=world.hub_port).next() == ("lost", "")


def test_a_device_named_hub_has_none_of_the_hubs_rights(world: World) -> None:
    world.issuer.issue("hub")
    impostor = world.device("hub")
    assert impostor.publish("kokubus/v1/door-a/down/policy", "forged") == REFUSED


def test_a_revoked_device_is_cut_and_stays_out(world: World) -> None:
    stolen, canary = world.issuer.issue("door-a"), world.issuer.issue("door-c")
    live = world.device("door-a")
    world.issuer.revoke(stolen, canary)
    while world.attempt("door-c", "door-c").next() != ("lost", ""):
        time.sleep(0.1)
    live.publish("kokubus/v1/door-a/up/status", "acknowledged: a live session is not cut")
    world.hub(client_id="door-a")
    assert live.next() == ("lost", "")
    assert world.attempt("door-a", "door-a").next() == ("lost", "")


def test_the_launcher_ends_with_its_broker(world: World) -> None:
    launcher = world.broker.pid
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    names = {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in children}
    os.kill(names["mosquitto"], signal.SIGKILL)
    assert world.broker.wait(PATIENCE_S) == 128 + signal.SIGKILL


def test_being_told_to_stop_is_no_failure(world: World) -> None:
    world.broker.terminate()
    assert world.broker.wait(PATIENCE_S) == 0
