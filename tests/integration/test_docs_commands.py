"""docs/operate.md is what happens: its commands run, its tables are whole, its files exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from argparse import _SubParsersAction
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from tests.integration.influx_sink import InfluxSink

from kokubus.messages import DoorForced, DoorHeld
from kokubus_cli.ports import free_ports
from kokubus_edge import cli as edge
from kokubus_hub import cli as hub
from kokubus_hub.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operate.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = re.findall(r"^`([\w.-]+)`:\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
TESTED = [text for kind, text in BLOCKS if kind == "console"]
ELSEWHERE = [text for kind, text in BLOCKS if kind == "sh"]
INLINE = re.findall(r"`(kokubus (?:hub|edge) [^`]+)`", TEXT)
ALIAS = re.compile(r"^alias kokubus=.*$", re.MULTILINE)
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def commands(text: str) -> list[list[str]]:
    """Every call of kokubus in some lines of shell, as words."""
    found = re.findall(r"(?:^|&& )(kokubus [^&#>\n]*)", ALIAS.sub("", text), re.MULTILINE)
    return [shlex.split(one) for one in found]


def understood(words: list[str]) -> bool:
    """Whether the command line takes these words; what they name need not exist."""
    part = {"hub": hub, "edge": edge}[words[1]]
    try:
        part._parser().parse_args(words[2:])
    except SystemExit as end:
        return end.code == 0
    return True


def run(script: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a reader has: kokubus on the path, its data, and an InfluxDB."""
    paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        "PATH": paths,
        "HOME": str(tmp_path),
        f"{PREFIX}DATA_DIR": str(tmp_path / "data"),
        f"{PREFIX}INFLUX_URL": f"http://127.0.0.1:{free_ports(1)[0]}",
    }


def test_the_commands_do_what_the_page_says(tmp_path: Path, environ: dict[str, str]) -> None:
    """All of them, in the order of the page, in one folder that holds the page's files."""
    shutil.copytree(ROOT / "firmware_configs/sites", tmp_path / "sites")
    for name, content in FILES:
        (tmp_path / name).write_text(content)
    influx = InfluxSink(int(environ[f"{PREFIX}INFLUX_URL"].rpartition(":")[2]))
    try:
        said = {}
        for script in TESTED:
            done = run(script, tmp_path, environ)
            assert done.returncode == 0, f"{script}{done.stdout}{done.stderr}"
            said[script.splitlines()[0]] = done.stdout
    finally:
        influx.close()
    assert {name for name, _ in FILES} == {"members.csv", "badges.csv", "hall.ics"}
    assert (
        "/sign-in/"
        in said['kokubus hub init --operator "Erika Mustermann" --email erika@example.org']
    )
    assert "4 new" in said["kokubus hub import members.csv badges.csv"]
    booked = said["kokubus hub import bookings hall.ics --room ettmannsweiler-hall"]
    assert int(booked.split(" new")[0].split()[-1]) > 50
    assert "in epoch" in said['mv "$KOKUBUS_HUB_DATA_DIR" "$KOKUBUS_HUB_DATA_DIR.before"']


def test_what_was_restored_is_what_was_saved(tmp_path: Path, environ: dict[str, str]) -> None:
    """The backup's and the restore's own blocks, around a hub that has an operator."""
    saving = next(text for text in TESTED if "VACUUM INTO" in text)
    restoring = next(text for text in TESTED if "hub restored" in text)
    made = run(TESTED[0], tmp_path, environ)
    assert made.returncode == 0, made.stderr
    for script in (saving, f"kokubus hub operator add Late --email late@example.org\n{restoring}"):
        done = run(script, tmp_path, environ)
        assert done.returncode == 0, done.stderr
    assert run("kokubus hub operator link erika@example.org", tmp_path, environ).returncode == 0
    late = run("kokubus hub operator link late@example.org", tmp_path, environ)
    assert "no operator has the address" in late.stderr


@pytest.mark.parametrize("script", ELSEWHERE)
def test_commands_that_cannot_run_here_are_well_formed(script: str) -> None:
    quoted = script.replace("<this repository>", "REPOSITORY")
    checked = subprocess.run(["bash", "-n"], input=quoted, text=True, check=False)
    assert checked.returncode == 0
    for words in commands(script):
        assert understood(words), words
    for path in re.findall(
        r"(?<![\w/.-])(?:scripts|firmware_configs|requirements)/[\w./-]+", script
    ):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("command", INLINE)
def test_commands_within_sentences_exist(command: str) -> None:
    words = command.replace("COMMAND", "apply").split()
    whole = understood(words) or understood([*words, "--help"])
    assert whole, command


def test_containers_are_called_by_their_names() -> None:
    calls = re.findall(r"docker compose (?:--file \S+ )?(exec|run|logs) (.*)", TEXT)
    assert {verb for verb, _ in calls} == {"exec", "run", "logs"}
    for _verb, rest in calls:
        named = [word for word in re.split(r"[\s']+", rest) if word in SERVICES]
        assert named, rest


def test_every_command_of_the_hub_is_on_the_page() -> None:
    actions = hub._parser()._actions
    (commands,) = (action for action in actions if isinstance(action, _SubParsersAction))
    roles = {"serve", "listen", "work", "run"}
    missing = {name for name in commands.choices if f"hub {name}" not in TEXT} - roles
    assert missing == set()


def test_every_alarm_is_explained() -> None:
    """Those that the hub raises, and those that a door reports."""
    places = ("hub/kokubus_hub", "hub/kokubus_hub/calendars")
    hubs = "".join(path.read_text() for place in places for path in (ROOT / place).glob("*.py"))
    doors = "".join(path.read_text() for path in (ROOT / "edge/kokubus_edge").glob("*.py"))
    doors += "".join(path.read_text() for path in (ROOT / "core/kokubus").glob("door*.py"))
    raised = {DoorForced.kind, DoorHeld.kind}
    raised |= set(re.findall(r"\balarm(?:_once)?[(, ]+\"(\w+)\"", hubs))
    raised |= set(re.findall(r"(?:alarm=|ALARM = |_alarmed\(|_changed\()\"(\w+)\"", doors + hubs))
    for several in re.findall(r"kind\.in_\(([\s\S]*?)\)\s*\)|SILENCE = (.*)", doors + hubs):
        raised |= set(re.findall(r"\"(\w+)\"", "".join(several)))
    trouble = (ROOT / "edge/kokubus_edge/trouble.py").read_text()
    raised |= set(re.findall(r"``(\w+_\w+)``", trouble))
    explained = set(re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE))
    assert {"device_offline", "keyholder_used", "spool_full", "lock_failed"} <= raised
    assert raised == explained


def test_every_setting_is_told_of() -> None:
    """Here, or in the file that the page has you copy and that containers are given."""
    told = TEXT + (ROOT / "firmware_configs/systemd/hub.env").read_text()
    told += (ROOT / "docker-compose.yml").read_text()
    assert [f for f in fields(Settings) if f"{PREFIX}{f.name.upper()}" not in told] == []


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert link.startswith("https://") or (PAGE.parent / link).exists(), link
