"""The card of a door: what cloud-init and the firmware read, and the script that puts it there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.integration.boot_config import BootConfigError, lines, pins

from kokubus.site import read_site
from kokubus_edge.boot_file import read_boot_file
from kokubus_edge.cli import CONFIG

ROOT = Path(__file__).parents[2]
CARD = ROOT / "firmware_configs/cloud-init"
SITES = sorted((ROOT / "firmware_configs/sites").glob("*.toml"))
SCHEMA = ROOT / "tests/data/cloud-init/schema-cloud-config-v1.json"
USER_DATA = yaml.safe_load((CARD / "user-data").read_text())
FIRST_START = next(file for file in USER_DATA["write_files"] if "first-start" in file["path"])
UNITS = {f"kokubus-{name}.service" for name in ("edge", "enrol", "update")} | {
    "kokubus-update.path"
}
MIB = 1024 * 1024
DEVICE = f"{SITES[0].stem}-1"
UNITS = {
    "kokubus-edge.service",
    "kokubus-enrol.service",
    "kokubus-update.path",
    "kokubus-update.service",
}
KNOWN = Path("/proc/filesystems").read_text().split()
BOOT_TYPE = "vfat" if "vfat" in KNOWN else "ext4"  # not every kernel that tests has FAT built in
COMMAND_LINE = "console=tty1 root=PARTUUID=1-02 rootfstype=ext4 rootwait quiet"


def test_cloud_init_takes_the_user_data() -> None:
    assert (CARD / "user-data").read_text().startswith("#cloud-config\n")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft4Validator(schema).validate(USER_DATA)


def test_the_schema_would_have_seen_a_mistake() -> None:
    schema = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))
    assert not schema.is_valid(USER_DATA | {"growpart": {"mode": "sometimes"}})
    assert not schema.is_valid(USER_DATA | {"packages": "overlayroot"})


def test_a_key_of_the_technician_fits() -> None:
    text = (CARD / "user-data").read_text()
    marked = text.replace(
        "# ssh_authorized_keys: KEY", 'ssh_authorized_keys: ["ssh-ed25519 AAAA t"]'
    )
    assert marked != text
    data = yaml.safe_load(marked)
    jsonschema.Draft4Validator(json.loads(SCHEMA.read_text())).validate(data)
    assert data["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAA t"]


def test_meta_data_names_an_instance_for_old_and_new() -> None:
    data = yaml.safe_load((CARD / "meta-data").read_text())
    assert data["dsmode"] == "local"
    assert data["instance-id"] == data["instance_id"]


def test_bookworm_is_told_to_look_at_the_boot_partition() -> None:
    data = yaml.safe_load((CARD / "bookworm.cfg").read_text())
    assert data["datasource"]["NoCloud"]["seedfrom"] == "file:///boot/firmware/"
    assert data["datasource_list"][0] == "NoCloud"


@pytest.mark.parametrize("wireless", [False, True], ids=["cable", "wireless"])
def test_netplan_takes_the_network(tmp_path: Path, wireless: bool) -> None:
    netplan = shutil.which("netplan", path="/usr/sbin:/usr/bin")
    if netplan is None:
        pytest.skip("netplan is not installed; scripts/test installs it")
    text = (CARD / "network-config").read_text()
    if wireless:
        text = re.sub(r"^# (wifis:| {2,}.*)$", r"\1", text, flags=re.MULTILINE)
        assert "\nwifis:" in text
    folder = tmp_path / "etc/netplan"
    folder.mkdir(parents=True)
    file = folder / "50-kokubus.yaml"
    file.write_text(yaml.safe_dump({"network": yaml.safe_load(text) | {"renderer": "networkd"}}))
    file.chmod(0o600)
    command = [netplan, "generate", "--root-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    made = [path.name for path in (tmp_path / "run/systemd/network").iterdir()]
    assert any("eth0" in name for name in made)
    assert any("wlan0" in name for name in made) is wireless


def test_the_first_start_is_a_script_for_this_very_layout() -> None:
    script = FIRST_START["content"]
    checked = subprocess.run(["sh", "-n"], input=script, text=True, check=False)
    assert checked.returncode == 0
    assert FIRST_START["permissions"] == "0755"
    assert USER_DATA["runcmd"] == [[FIRST_START["path"]]]
    unit = (ROOT / "firmware_configs/systemd/kokubus-edge.service").read_text()
    assert f"{CONFIG.parent} none bind" in script
    assert "/opt/kokubus/current/bin/kokubus" in unit
    for link in ("current", "steady"):
        assert f'ln -sfn "$version" /opt/kokubus/{link}' in script
    assert '>"/opt/kokubus/$version/complete"' in script
    lines = [line.strip() for line in script.splitlines() if line.strip() not in {"", "fi"}]
    assert len(lines) == len(set(lines)), "said twice"


def test_a_card_with_a_key_lets_its_owner_in() -> None:
    """Raspberry Pi OS starts no sshd by itself."""
    told = "if [ -s /home/technician/.ssh/authorized_keys ]; then systemctl enable ssh.service; fi"
    assert told in FIRST_START["content"]
    assert USER_DATA["users"][0]["name"] == "technician"
    assert USER_DATA["ssh_pwauth"] is False


def test_what_outlives_a_start_lies_on_the_doors_own_partition() -> None:
    table = re.search(r"<<'FSTAB'\n(.*?)^FSTAB$", FIRST_START["content"], re.DOTALL | re.MULTILINE)
    assert table is not None
    rows = [line.split() for line in table[1].splitlines()]
    assert all(len(row) == 6 for row in rows)
    assert rows[0][:2] == ["LABEL=kokubus-data", "/data"]
    assert all(row[0].startswith("/data/") and "nofail" in row[3] for row in rows[1:])
    overlay = next(file for file in USER_DATA["write_files"] if "overlayroot" in file["path"])
    assert overlay["content"] == 'overlayroot="tmpfs:recurse=0"\n'
    assert "overlayroot" in USER_DATA["packages"]


# --- config.txt ---------------------------------------------------------------------------


def standing(site: Path, device: str, folder: Path) -> dict[int, set[str]]:
    """How the pins of a device stand at power-on."""
    made = folder / f"{device}.txt"
    made.write_text(_pins(str(site), device).stdout)
    return pins(made)


def _pins(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CARD / "pins"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.stem)
def test_no_relay_clicks_before_the_agent_runs(site: Path, tmp_path: Path) -> None:
    for door in read_site(site.read_text(), site.name).doors:
        resting = "dl" if door.pins.lock_active_high else "dh"
        assert standing(site, door.device, tmp_path)[door.pins.lock] == {"op", resting}, door.id


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.stem)
def test_every_wire_of_a_site_rests_at_power_on(site: Path, tmp_path: Path) -> None:
    read = read_site(site.read_text(), site.name)
    for device in read.devices:
        found = standing(site, device, tmp_path)
        for door in read.doors_of(device):
            for key, pin in door.pins.wires():
                inward = {"ip", "pd"} if key == "exit" and door.pins.exit_pir else {"ip", "pu"}
                wanted = inward if key in {"contact", "exit", "tamper"} else {"op"}
                assert wanted <= found[pin], (door.id, key)
            for reader in door.reader:
                assert all(pin in found for _, pin in reader.wires()), door.id
        for sensor in read.sensors_of(device):
            for _, pin in sensor.wires():
                assert found[pin] == {"ip", "pd" if sensor.kind == "pir" else "pu"}, sensor.id


def test_a_device_of_another_site_is_refused() -> None:
    done = _pins(str(SITES[0]), "nowhere-1")
    assert done.returncode == 2
    assert "nowhere-1" in done.stderr


def test_the_buses_and_the_clock_are_switched_on() -> None:
    said = list(lines(CARD / "kokubus.txt"))
    for wanted in ("spi=on", "i2c_arm=on", "watchdog=on", "audio=off"):
        assert ("dtparam", wanted) in said
    assert ("dtoverlay", "i2c-rtc,ds3231") in said


@pytest.mark.parametrize(
    "line",
    [
        "gpio=17=op,low",
        "gpio=17,=op",
        "gpoi=17=op,dl",
        "[pi9]",
        "dtparam spi",
        "gpio=4=" + "p" * 99,
    ],
)
def test_what_the_firmware_would_not_take_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.txt").write_text(f"{line}\n")
    with pytest.raises(BootConfigError):
        pins(tmp_path / "config.txt")


# --- prepare-card -------------------------------------------------------------------------


@contextmanager
def card(folder: Path) -> Iterator[str]:
    """A disk with an image written to it, as the Imager leaves it."""
    image = folder / "card.img"
    with image.open("wb") as file:
        file.truncate(192 * MIB)
    table = "label: dos\nstart=2048, size=32M, type=c\nsize=48M, type=83\n"
    subprocess.run(["/usr/sbin/sfdisk", "-q", image], input=table, text=True, check=True)
    attach = ["/usr/sbin/losetup", "--partscan", "--find", "--show", str(image)]
    made = subprocess.run(attach, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no loop device to be had here: {made.stderr.strip()}")
    device = made.stdout.strip()
    subprocess.run(["partx", "--update", device], check=False)
    try:
        if not Path(f"{device}p2").exists():
            pytest.skip("the kernel shows no partitions of loop devices here")
        _make([f"/usr/sbin/mkfs.{BOOT_TYPE}", f"{device}p1"])
        _make(["/usr/sbin/mkfs.ext4", "-q", f"{device}p2"])
        with mounted(f"{device}p1", folder) as boot:
            (boot / "cmdline.txt").write_text(f"{COMMAND_LINE} resize\n")
            (boot / "config.txt").write_text("[cm5]\ndtoverlay=dwc2\n")
        yield device
    finally:
        subprocess.run(["/usr/sbin/losetup", "--detach", device], check=True)


def _make(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def mounted(part: str, folder: Path) -> Iterator[Path]:
    place = folder / "mounted"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", part, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def prepare(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"BOOT_TYPE": BOOT_TYPE, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    command = [str(CARD / "prepare-card"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=environ
    )


@pytest.fixture
def wheels(tmp_path: Path) -> str:
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "kokubus-1.2.3-py3-none-any.whl").write_bytes(b"a wheel")
    return str(folder)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write to a disk")
def test_a_card_becomes_a_doors(tmp_path: Path, wheels: str) -> None:
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAAC3 technician\n")
    door = ["--site", str(SITES[0]), "--device", DEVICE]
    enrol = [*door, "--hub", "https://hub.example.org", "--code", "7K3M-Q0XD", "--key", str(key)]
    with card(tmp_path) as device:
        done = prepare(device, "--wheels", wheels, "--root-size", "80M", *enrol)
        assert done.returncode == 0, done.stderr
        with mounted(f"{device}p1", tmp_path) as boot:
            _check_boot(boot)
        with mounted(f"{device}p3", tmp_path) as data:
            assert {path.name for path in data.iterdir()} >= {"lib", "opt", "timesync"}
            assert (data / "wheels/kokubus-1.2.3-py3-none-any.whl").read_bytes() == b"a wheel"
            units = {path.name for path in (data / "systemd").iterdir()}
            assert units == UNITS
        with mounted(f"{device}p2", tmp_path) as root:
            assert shutil.disk_usage(root).total > 60 * MIB  # it was 48
        label = subprocess.run(
            ["blkid", "-o", "value", "-s", "LABEL", f"{device}p3"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert label.stdout == "kokubus-data\n"
        again = prepare(device, "--wheels", wheels)
        assert "third partition" in again.stderr


def _check_boot(boot: Path) -> None:
    assert (boot / "cmdline.txt").read_text() == f"{COMMAND_LINE}\n"
    included = "\n[all]\ninclude kokubus.txt\ninclude kokubus-pins.txt\n"
    assert (boot / "config.txt").read_text().endswith(included)
    assert "\ninclude " not in (boot / "kokubus.txt").read_text()
    assert read_boot_file(boot / "kokubus-enrol.toml").code == "7K3M-Q0XD"
    assert pins(boot / "kokubus-pins.txt")
    data: dict[str, Any] = yaml.safe_load((boot / "user-data").read_text())
    assert data["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAAC3 technician"]
    for name in ("meta-data", "network-config", "bookworm.cfg", "kokubus.txt"):
        assert (boot / name).read_bytes() == (CARD / name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write to a disk")
def test_what_is_no_card_is_left_alone(tmp_path: Path, wheels: str) -> None:
    said = {
        "is no disk": prepare("/dev/null", "--wheels", wheels),
        "needs a value": prepare("/dev/null", "--wheels"),
        "is not understood": prepare("/dev/null", "--wheel", wheels),
        "prepare-card DISK": prepare(),
    }
    for words, done in said.items():
        assert done.returncode == 2
        assert words in done.stderr + done.stdout
    with card(tmp_path) as device:
        assert "no kokubus-*.whl" in prepare(device, "--wheels", str(tmp_path)).stderr
        assert "--site and --device" in prepare(device, "--wheels", wheels).stderr
        door = ["--site", str(SITES[0]), "--device", DEVICE, "--wheels", wheels]
        alone = prepare(device, *door, "--code", "7K3M-Q0XD")
        assert "go together" in alone.stderr
        assert not Path(f"{device}p3").exists()
