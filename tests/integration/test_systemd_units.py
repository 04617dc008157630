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
from kokubus_edge.updating import PROGRAMS, REQUEST
from kokubus_hub.settings import load

OPERATE = Path(__file__).parents[2] / "docs/operate/doors.md"
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
    assert [unit.stem for unit in UNITS] == [*ALWAYS, "kokubus-enrol", "kokubus-update"]


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


@pytest.mark.parametrize("unit", [UNITS[1], *UNITS[3:]], ids=lambda unit: unit.stem)
def test_a_doors_unit_waits_for_the_partition_it_lives_on(unit: Path) -> None:
    """StateDirectory does so for /var/lib/kokubus; the card mounts both with nofail."""
    parser = read(unit)
    assert parser["Unit"]["RequiresMountsFor"] == str(PROGRAMS)
    assert parser["Service"]["StateDirectory"] == CONFIG.parent.name


def test_the_door_works_in_a_folder_that_lgpio_may_write_to() -> None:
    """lgpio 0.2.2 makes a pipe in the working directory when it is loaded, and fails without."""
    service = read(UNITS[1])["Service"]
    assert service["WorkingDirectory"] == f"/run/{service['RuntimeDirectory']}"


def test_enrolment_tries_again_only_where_that_can_help() -> None:
    service = read(UNITS[3])["Service"]
    assert service["ExecStart"].endswith(f"edge enrol --file {BOOT_FILE}")
    assert read(UNITS[3])["Unit"]["ConditionPathExists"] == str(BOOT_FILE)
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert service["StateDirectory"] == CONFIG.parent.name


def test_an_update_is_watched_over_by_the_release_that_is_steady() -> None:
    service = read(UNITS[4])["Service"]
    assert service["ExecStart"].startswith(f"{PROGRAMS}/steady/bin/kokubus edge update --pending")
    assert service["ReadWritePaths"] == str(PROGRAMS)
    assert service["User"] == "kokubus"
    path = read(UNITS[4].with_suffix(".path"))
    assert path["Path"]["PathExists"] == str(CONFIG.parent / "data" / REQUEST)
    assert path["Path"]["Unit"] == UNITS[4].name


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize(
    ("name", "level"), re.findall(r"\| `(kokubus-\w+)` \| (\d\.\d) \|", OPERATE.read_text())
)
def test_the_page_names_how_exposed_each_unit_is(name: str, level: str) -> None:
    unit = UNITS[0].with_name(f"{name}.service")
    command = ["systemd-analyze", "security", "--offline=yes", str(unit)]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert found, said
    assert float(found[1]) <= float(level) < 3


def test_every_units_exposure_stands_on_the_page() -> None:
    text = OPERATE.read_text()
    assert all(f"| `{unit.stem}` |" in text for unit in UNITS)


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
    assert {"Unit", "Service"} <= set(read(here).sections()) <= {"Unit", "Service", "Install"}
    if shutil.which("systemd-analyze"):
        found = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", here],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (found.returncode, found.stderr) == (0, "")
