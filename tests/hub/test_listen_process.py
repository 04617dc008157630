"""The listener as a process of its own, and its sign of life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker import PATIENCE_S, Mosquitto, start_mosquitto
from tests.hub.intake_world import FRONT, World, world

from kokubus_hub import health
from kokubus_hub.broker import Broker
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings, load


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


def settings_in(folder: Path) -> Settings:
    return load({"KOKUBUS_HUB_DATA_DIR": str(folder)})


def test_alive_is_whoever_said_so_lately(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert not health.alive(settings, "listen")
    health.beat(settings, "listen")
    assert health.alive(settings, "listen")
    assert not health.alive(settings, "work")
    os.utime(tmp_path / "run" / "listen.alive", (0, 0))
    assert not health.alive(settings, "listen")


def test_a_role_outlives_a_disk_that_takes_no_sign_of_life(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    health.beat(settings_in(tmp_path), "listen")
    assert not health.alive(settings_in(tmp_path), "listen")


@pytest.mark.slow
def test_sigterm_ends_the_process_cleanly(hub: World, broker: Broker, tmp_path: Path) -> None:
    Keyring.create(tmp_path / "keys")
    log = tmp_path / "listen.log"
    environ = {
        "KOKUBUS_HUB_DATA_DIR": str(tmp_path),
        "KOKUBUS_HUB_DATABASE_URL": str(hub.engine.url),
        "KOKUBUS_HUB_MQTT_PORT": str(broker.port),
    }
    command = [str(Path(sys.executable).with_name("kokubus")), "hub", "listen"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, stdout=output, env=os.environ | environ)
    try:
        while b"listening" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            threading.Event().wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert b"Traceback" not in log.read_bytes()
    assert FRONT.encode() not in log.read_bytes()
