"""The site's own broker for ESPHome nodes, and the nodes' configurations."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from kokubus_cli.ports import free_port

ROOT = Path(__file__).parents[2]
CONFIGURED = ROOT / "firmware_configs/mosquitto"
NODES = sorted((ROOT / "firmware_configs/esphome").glob("*.yaml"))
NODES = [path for path in NODES if not path.stem.startswith("secrets")]
ESPHOME = ROOT / ".cache/esphome/bin/esphome"
PATIENCE_S = 60


def wait_for(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The broker as it is installed, in a folder of its own."""
    folder, port = tmp_path_factory.mktemp("site-broker"), free_port()
    text = (CONFIGURED / "site.conf").read_text().replace("/etc/mosquitto", str(folder))
    text = text.replace("\nlistener 1883\n", f"\nlistener {port} 127.0.0.1\n")
    assert str(port) in text
    conf = folder / "site.conf"
    conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    shutil.copy(CONFIGURED / "site.acl", folder / "kokubus.acl")
    passwords = folder / "kokubus.passwd"
    for name in ("agent", "room-1", "beam-1"):
        new = [] if passwords.exists() else ["-c"]
        subprocess.run(["mosquitto_passwd", "-b", *new, passwords, name, f"of {name}"], check=True)
        passwords.chmod(0o600)
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program, "these tests need Mosquitto: apt install mosquitto"
    log = folder / "log"
    with log.open("wb") as output:
        running = subprocess.Popen([program, "-c", conf], stdout=output, stderr=output)
    try:
        wait_for(lambda: running.poll() is not None or _answers(port), "the broker")
        assert running.poll() is None, log.read_text()
        yield port
    finally:
        running.terminate()
        running.wait(PATIENCE_S)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Guest:
    """Somebody at the broker; ``heard`` is (topic, payload)."""

    def __init__(self, port: int, name: str | None, password: str = "") -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.admitted: list[bool] = []
        self.listening: list[bool] = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        if name is not None:
            self.client.username_pw_set(name, password or f"of {name}")
        self.client.on_connect = lambda _c, _d, _f, code, _p: self.admitted.append(
            not code.is_failure
        )
        self.client.on_message = lambda _c, _d, m: self.heard.append((m.topic, bytes(m.payload)))
        self.client.on_subscribe = lambda *_: self.listening.append(True)
        self.client.connect_timeout = PATIENCE_S
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_for(lambda: self.admitted, "the broker's answer")

    def publish(self, topic: str, payload: str) -> None:
        """QoS 1, and the broker has dealt with it."""
        said = self.client.publish(topic, payload, qos=1)
        said.wait_for_publish(PATIENCE_S)
        assert said.is_published(), f"the broker does not take {topic}"


@contextmanager
def guest(port: int, name: str | None, password: str = "") -> Iterator[Guest]:
    made = Guest(port, name, password)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()


@pytest.mark.slow
def test_nobody_comes_in_without_a_password(port: int) -> None:
    for name, password in ((None, ""), ("room-1", "guessed"), ("stranger", "guessed")):
        with guest(port, name, password) as it:
            assert it.admitted[0] is False, name


@pytest.mark.slow
def test_a_node_speaks_for_itself_alone_and_the_agent_only_listens(port: int) -> None:
    with (
        guest(port, "agent") as agent,
        guest(port, "room-1") as node,
        guest(port, "beam-1") as other,
    ):
        agent.client.subscribe("+/sensor/+/state", qos=1)
        other.client.subscribe("#", qos=1)
        wait_for(lambda: agent.listening and other.listening, "both to listen")
        agent.publish("room-1/sensor/co2/state", "9999")
        node.publish("beam-1/sensor/beam/state", "1")
        node.publish("kokubus/v1/x/up/badge_tapped", "{}")
        node.publish("room-1/sensor/co2/state", "612")
        wait_for(lambda: agent.heard, "the agent to hear the node")
        assert agent.heard == [("room-1/sensor/co2/state", b"612")]
        assert other.heard == []


def test_the_brokers_unit_hears_private_addresses_alone(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed; scripts/test installs it")
    unit = tmp_path / "mosquitto.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    dropped = tmp_path / "mosquitto.service.d/kokubus.conf"
    dropped.parent.mkdir()
    shutil.copy(CONFIGURED / "site-only.conf", dropped)
    done = subprocess.run(
        [verify, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert "kokubus.conf" not in done.stderr, done.stderr
    dropped.write_text(dropped.read_text().replace("10.0.0.0/8", "10.0.0.0/99"))
    done = subprocess.run(
        [verify, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert "kokubus.conf" in done.stderr  # it looks


# --- ESPHome ------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML with ESPHome's own tags left as they are."""


_Loader.add_multi_constructor("!", lambda _loader, tag, node: f"!{tag} {node.value}")


@pytest.mark.slow
@pytest.mark.parametrize("node", NODES, ids=lambda path: path.stem)
def test_esphome_takes_the_node(node: Path, tmp_path: Path) -> None:
    if not ESPHOME.exists():
        pytest.skip("ESPHome is not installed; scripts/test installs it into .cache/esphome")
    shutil.copy(node, tmp_path)
    shutil.copy(node.with_name("secrets.example.yaml"), tmp_path / "secrets.yaml")
    command = [ESPHOME, "config", tmp_path / node.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Configuration is valid" in done.stdout + done.stderr


@pytest.mark.parametrize("node", NODES, ids=lambda path: path.stem)
def test_a_node_speaks_as_the_broker_lets_it(node: Path) -> None:
    text = node.read_text()
    said = _Loader(text).get_single_data()
    name = said["substitutions"]["node"]
    assert said["mqtt"]["username"] == said["mqtt"]["topic_prefix"] == "${node}"
    named = {sensor["name"] for sensor in said["sensor"] if "name" in sensor}
    named |= {
        part["name"]
        for sensor in said["sensor"]
        for part in sensor.values()
        if isinstance(part, dict) and "name" in part
    }
    (example,) = re.findall(r'topic = "([^"]+)"', text)
    prefix, kind, value, state = example.split("/")
    assert (prefix, kind, state) == (name, "sensor", "state")
    assert value in named
    secrets = yaml.safe_load(node.with_name("secrets.example.yaml").read_text())
    assert set(re.findall(r"!secret (\w+)", text)) == set(secrets)
