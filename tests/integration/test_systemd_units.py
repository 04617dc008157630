"""The units of firmware_configs/systemd are sound and keep their promises."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from kokubus_edge.boot_file import BOOT_FILE
from kokubus_edge.cli import CONFIG
from kokubus_hub.settings import load

UNITS = sorted((Path(__file__).parents[2] / "firmware_configs/systemd").glob("*.service"))

ALWAYS = ["kokubus-broker", "kokubus-edge", "kokubus-hub"]
UNITS.sort(key=lambda unit: unit.stem not in ALWAYS)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
each_server = pytest.mark.parametrize("unit", UNITS[: len(ALWAYS)], ids=lambda unit: unit.stem)


def read(unit: Path) -> RawConfigParser:
    """Refuses what is no unit file, and a section or key given twice."""
    parser = RawConfigParser(strict=True, delimiters=("=",))
    parser.read_string(unit.read_text())
    return parser


def test_there_is_one_unit_a_program() -> None:
    assert [unit.stem for unit in UNITS] == [*ALWAYS, "kokubus-enrol"]


@each_server
def test_it_comes_back_by_itself_and_starts_at_boot(unit: Path) -> None:
    parser = read(unit)
    assert parser["Service"]["Restart"] == "always"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    assert parser["Install"]["WantedBy"] == "multi-user.target"


@each_server
def test_it_runs_with_no_more_rights_than_it_needs(unit: Path) -> None:
    service = read(unit)["Service"]
    assert service["User"] == "kokubus"
    assert service["CapabilityBoundingSet"] == ""
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"


def test_the_door_releases_its_relays_however_it_ends() -> None:
    parser = read(UNITS[1])
    service = parser["Service"]
    settings = service["ExecStart"].partition("run ")[2]
    assert service["ExecStopPost"] == f"/opt/kokubus/current/bin/kokubus edge release {settings}"
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) <= 10
    assert "network" not in parser["Unit"]["After"]


def test_enrolment_tries_again_only_where_that_can_help() -> None:
    service = read(UNITS[3])["Service"]
    assert service["ExecStart"].endswith(f"edge enrol --file {BOOT_FILE}")
    assert read(UNITS[3])["Unit"]["ConditionPathExists"] == str(BOOT_FILE)
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert service["StateDirectory"] == CONFIG.parent.name


def test_the_broker_runs_where_the_hub_puts_its_certificates() -> None:
    command = read(UNITS[0])["Service"]["ExecStart"]
    folder = Path(command.split()[-1])
    assert command == f"{folder}/config/run {folder}"
    assert load({}, Path("/var/lib/kokubus")).broker_tls == folder / "tls"


def test_every_setting_the_hubs_example_names_is_one(tmp_path: Path) -> None:
    """Those that are commented out as well."""
    lines = (UNITS[0].parent / "hub.env").read_text().splitlines()
    said = [line.removeprefix("# ") for line in lines if "KOKUBUS_HUB_" in line and "=" in line]
    environ = dict(one.split("=", 1) for one in said)
    settings = load(environ, tmp_path)
    for name, value in environ.items():
        assert str(getattr(settings, name.removeprefix("KOKUBUS_HUB_").lower())) == value
    assert settings.mqtt_ca == Path("/var/lib/kokubus/mosquitto/tls/ca.crt")


@each_unit
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    """Where systemd is not installed, only the form is checked: `read` refuses what is no unit."""
    here = tmp_path / unit.name
    here.write_text(re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", unit.read_text(), flags=re.MULTILINE))
    assert {"Unit", "Service", "Install"} == set(read(here).sections())
    if shutil.which("systemd-analyze"):
        found = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", here],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (found.returncode, found.stderr) == (0, "")
