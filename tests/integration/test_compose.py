"""docker-compose.yml keeps to the Compose Specification and to our rules for production."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from fastapi import FastAPI
from jsonschema import Draft7Validator

from kokubus_edge.settings import read_settings
from kokubus_hub.app import configuration
from kokubus_hub.settings import Settings

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests/data/compose/compose-spec.json").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = [ROOT / "hub/Dockerfile", ROOT / "edge/Dockerfile"]

PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")
SECRET = re.compile(r"password|token|secret|key$", re.IGNORECASE)

each_service = pytest.mark.parametrize("name", SERVICES)


def once(service: dict[str, Any]) -> bool:
    return bool(service.get("restart") == "no")


def named_sources(service: dict[str, Any]) -> list[str]:
    return [volume.split(":")[0] for volume in service.get("volumes", [])]


def test_it_keeps_to_the_compose_specification() -> None:
    problems = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft7Validator(SCHEMA).iter_errors(COMPOSE)
    ]
    assert problems == []


def test_every_part_of_the_system_is_there() -> None:
    parts = {"mosquitto", "postgres", "influxdb", "grafana", "serve", "listen", "work", "agent"}
    assert parts <= SERVICES.keys()


@each_service
def test_the_image_is_pinned(name: str) -> None:
    assert PINNED.fullmatch(SERVICES[name]["image"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_images_we_build_start_from_pinned_ones_as_no_root(dockerfile: Path) -> None:
    lines = dockerfile.read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)
    users = [line for line in lines[lines.index(f"FROM {bases[-1]}") :] if line.startswith("USER ")]
    assert users
    assert "root" not in users[-1]


@each_service
def test_it_tells_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    if once(service):
        assert name in {
            needed
            for other in SERVICES.values()
            for needed, how in other.get("depends_on", {}).items()
            if how["condition"] == "service_completed_successfully"
        }
    else:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@each_service
def test_it_holds_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "build" in service or service["user"].split(":")[0] not in {"", "0", "root"}


@each_service
def test_secrets_come_as_files(name: str) -> None:
    service = SERVICES[name]
    granted = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
    environment = service.get("environment", {})
    for variable, value in environment.items():
        if value.startswith("/run/secrets/"):
            assert variable.endswith("_FILE")
            assert value in granted
        else:
            assert not SECRET.search(variable) or value.startswith("/"), variable


def test_no_credential_stands_in_a_url() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"://[^/\s@]*:[^/\s@]*@", text) == []


@each_service
def test_whatever_it_refers_to_exists(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert service.get("depends_on", {}).keys() <= SERVICES.keys()
    for source in named_sources(service):
        assert source in COMPOSE["volumes"] or (
            source.startswith("./") and (ROOT / source).exists()
        )
    if build := service.get("build"):
        assert (ROOT / build["dockerfile"]).is_file()


def test_no_volume_or_secret_is_left_over() -> None:
    used = {source for service in SERVICES.values() for source in named_sources(service)}
    granted = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert COMPOSE["volumes"].keys() <= used
    assert COMPOSE["secrets"].keys() == granted


def test_database_and_metrics_stay_inside() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("postgres", "influxdb"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]


def test_only_the_broker_for_the_doors_is_open_to_the_world() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert [port for port in published if not port.startswith("127.0.0.1:")] == ["8883:8883"]


@pytest.mark.parametrize("gateway", ["127.0.0.1", "172.18.0.1", "192.168.80.1"])
def test_the_web_believes_the_proxy_before_it(
    gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else everybody signs in from one address, and no cookie is for https alone."""
    name = "FORWARDED_ALLOW_IPS"
    monkeypatch.setenv(name, SERVICES["serve"]["environment"][name])
    seen: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.update(scope)

    config = configuration(cast("FastAPI", app), Settings(data_dir=tmp_path))
    config.load()
    said = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]
    asked = {"type": "http", "client": (gateway, 1), "scheme": "http", "headers": said}
    asyncio.run(config.loaded_app(asked, None, None))
    assert (seen["client"][0], seen["scheme"]) == ("203.0.113.9", "https")


def test_the_hub_speaks_to_the_brokers_listener_for_the_hub() -> None:
    conf = (ROOT / "firmware_configs/mosquitto/hub.conf").read_text()
    port = SERVICES["listen"]["environment"]["KOKUBUS_HUB_MQTT_PORT"]
    assert f"\nlistener {port}\n" in conf
    assert "acl_file config/hub.acl" in conf.split(f"\nlistener {port}\n")[1]


def test_the_simulated_agent_is_a_device_of_its_site(tmp_path: Path) -> None:
    for volume in SERVICES["agent"]["volumes"]:
        source, target = volume.split(":")[:2]
        if target.startswith("/etc/kokubus/"):
            shutil.copy(ROOT / source, tmp_path / Path(target).name)
    settings = read_settings(tmp_path / "agent.toml")
    assert settings.simulated
    assert settings.doors
    assert settings.hub.host in SERVICES
    named = " ".join(SERVICES["enrol"]["command"])
    assert settings.device in named
    assert f'"{settings.control}"' in SERVICES["agent"]["healthcheck"]["test"][-1]


def test_scripts_secrets_makes_each_secret_once(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts/secrets", tmp_path / "scripts")
    made = [tmp_path / secret["file"] for secret in COMPOSE["secrets"].values()]
    subprocess.run([script], check=True, capture_output=True)
    first = [path.read_text() for path in made]
    subprocess.run([script], check=True, capture_output=True)
    assert [path.read_text() for path in made] == first
    assert len(set(first)) == len(first)
    assert all(len(secret) == 32 for secret in first)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_images_install_only_what_the_locks_name(dockerfile: Path) -> None:
    text = dockerfile.read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install ([^&\n]*)", text)
    assert installs
    for arguments in installs:
        locked = "--require-hashes --only-binary :all:" in arguments
        assert locked or "--no-deps --no-index" in arguments
    locks = re.findall(r"-r\s+(\S+)", text)
    assert all((ROOT / lock).is_file() for lock in locks)
