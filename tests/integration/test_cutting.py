"""A revoked device is thrown out of a real Mosquitto, however often it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.integration.broker_world import PATIENCE_S, World, running

from kokubus_cli.ports import free_port
from kokubus_hub.broker import Broker
from kokubus_hub.cutting import CutError, cut

QUIET_S = 3.0
"""Longer than a thief's pause between attempts."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path / "broker") as world:
        yield world


def hub(world: World, port: int = 0) -> Broker:
    tls = world.directory / "tls"
    return Broker(
        host="127.0.0.1",
        port=port or world.hub_port,
        ca=str(tls / "ca.crt"),
        cert=str(tls / "hub.crt"),
        key=str(tls / "hub.key"),
    )


@contextmanager
def stubborn(world: World, name: str) -> Iterator[mqtt.Client]:
    """A device that connects again a second after it was thrown out."""
    tls = world.directory / "tls"
    device = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    device.tls_set(str(tls / "ca.crt"), str(tls / f"{name}.crt"), str(tls / f"{name}.key"))
    device.reconnect_delay_set(1, 1)
    device.connect_timeout = PATIENCE_S
    device.connect("127.0.0.1", world.device_port)
    device.loop_start()
    try:
        yield device
    finally:
        device.disconnect()
        device.loop_stop()


def test_a_live_connection_ends(world: World) -> None:
    certificate = world.issuer.issue("door-a")
    live = world.device("door-a")
    world.issuer.revoke(certificate)
    cut(hub(world), "door-a", quiet_s=QUIET_S)
    assert live.next() == ("lost", "")
    assert world.attempt("door-a", "door-a").next() == ("lost", "")


def test_others_stay(world: World) -> None:
    certificate = world.issuer.issue("door-a")
    world.issuer.issue("door-b")
    other, listening = world.device("door-b"), world.hub()
    world.issuer.revoke(certificate)
    cut(hub(world), "door-a", quiet_s=QUIET_S)
    listening.subscribe("kokubus/v1/+/up/status")
    assert other.publish("kokubus/v1/door-b/up/status", "still here") == "Success"
    assert listening.next() == ("kokubus/v1/door-b/up/status", "still here")


def test_a_device_that_comes_back_is_thrown_out_again(world: World) -> None:
    certificate = world.issuer.issue("door-a")
    with stubborn(world, "door-a") as device:
        world.issuer.revoke(certificate)
        cut(hub(world), "door-a", quiet_s=QUIET_S)
        assert not device.is_connected()


def test_a_device_that_was_not_revoked_is_said_to_come_back(world: World) -> None:
    world.issuer.issue("door-a")
    with (
        stubborn(world, "door-a"),
        pytest.raises(CutError, match="does not read its revocation list; restart it"),
    ):
        cut(hub(world), "door-a", quiet_s=60, patience_s=0)


def test_a_broker_that_is_away_is_named(world: World) -> None:
    port = free_port()
    with pytest.raises(CutError, match=f"127.0.0.1:{port} cannot be reached.*restart the broker"):
        cut(hub(world, port), "door-a")


def test_a_broker_that_wants_another_certificate_is_named(world: World) -> None:
    """Devices' own listener: it does not know the hub."""
    with pytest.raises(CutError, match="the broker at 127"):
        cut(hub(world, world.device_port), "door-a", quiet_s=QUIET_S)
