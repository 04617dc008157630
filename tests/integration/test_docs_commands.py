"""docs/operate.md and its pages are what happens: commands run, tables are whole, files exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from argparse import _SubParsersAction
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, fields
from io import StringIO
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from pydantic import BaseModel
from tests.integration.influx_sink import InfluxSink

from kokubus.messages import DoorForced, DoorHeld
from kokubus_cli.main import main
from kokubus_cli.ports import free_ports
from kokubus_edge import cli as edge
from kokubus_hub import cli as hub
from kokubus_hub.app import create_app
from kokubus_hub.bookings.schemas import BookingIn
from kokubus_hub.calendars.schemas import HookIn
from kokubus_hub.database import engine as engine_for
from kokubus_hub.entitlements.schemas import EntitlementIn, HeldIn, PlanNew
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import PREFIX, Settings, load

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs/operate.md"
PAGES = [
    INDEX.parent / link for link in re.findall(r"\]\((operate/[\w-]+\.md)\)", INDEX.read_text())
]
TEXTS = {page: page.read_text() for page in (INDEX, *PAGES)}
TEXT = "\n".join(TEXTS.values())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = re.findall(r"^`([\w.-]+)`:\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
TESTED = [text for kind, text in BLOCKS if kind == "console"]
ELSEWHERE = [text for kind, text in BLOCKS if kind == "sh"]
BODIES = re.findall(r"`(POST|PUT) (/api/v1/[^`]*)`[^\n]*:\n```json\n([^`]*)```", TEXT)
CALLS = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/api/v1/[^`?]*)", TEXT)
INLINE = re.findall(r"`(kokubus (?:hub|edge) [^`]+)`", TEXT)
ALIAS = re.compile(r"^alias kokubus=.*$", re.MULTILINE)
ALARMS, SETTINGS = (ROOT / f"docs/operate/{name}.md" for name in ("alarms", "settings"))
SHAPES: dict[str, type[BaseModel]] = {
    "/api/v1/plans": PlanNew,
    "/api/v1/members/{member}/plans/{plan}": HeldIn,
    "/api/v1/entitlements": EntitlementIn,
    "/api/v1/bookings": BookingIn,
    "/api/v1/hooks/{platform}": HookIn,
}
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def commands(text: str) -> list[list[str]]:
    """Every call of kokubus in some lines of shell, as words."""
    lines = ALIAS.sub("", text).replace("\\\n", " ")
    found = re.findall(r"(?:^|&& )(kokubus [^&#>\n]*)", lines, re.MULTILINE)
    return [shlex.split(one) for one in found]


def understood(words: list[str]) -> bool:
    """Whether the command line takes these words; what they name need not exist."""
    part = {"hub": hub, "edge": edge}[words[1]]
    try:
        part._parser().parse_args(words[2:])
    except SystemExit as end:
        return end.code == 0
    return True


@dataclass(frozen=True, slots=True)
class Done:
    """What some lines of shell ended with and printed."""

    code: int
    out: str
    err: str


def run(script: str) -> Done:
    """Its calls of kokubus in this process, which starts quicker than one for each."""
    out, err = StringIO(), StringIO()
    for ours, group in groupby(script.splitlines(), key=lambda line: line.startswith("kokubus ")):
        lines = list(group)
        with redirect_stdout(out), redirect_stderr(err):
            code = _kokubus(lines) if ours else _bash(lines)
        if code:
            return Done(code, out.getvalue(), err.getvalue())
    return Done(0, out.getvalue(), err.getvalue())


def _kokubus(lines: Iterable[str]) -> int:
    codes = (main(shlex.split(line, comments=True)[1:]) for line in lines)
    return next((code for code in codes if code), 0)


def _bash(lines: Iterable[str]) -> int:
    command = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader is, with kokubus' data in it and an InfluxDB named."""
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv(f"{PREFIX}DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv(f"{PREFIX}INFLUX_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_do_what_the_pages_say(folder: Path) -> None:
    """All of them, in the order of the pages, in one folder that holds the pages' files."""
    shutil.copytree(ROOT / "firmware_configs/sites", folder / "sites")
    for name, content in FILES:
        (folder / name).write_text(content)
    influx = InfluxSink(int(os.environ[f"{PREFIX}INFLUX_URL"].rpartition(":")[2]))
    try:
        said = {}
        for script in TESTED:
            done = run(script)
            assert done.code == 0, f"{script}{done.out}{done.err}"
            said[script.splitlines()[0]] = done.out
    finally:
        influx.close()
    assert {name for name, _ in FILES} == {"members.csv", "badges.csv", "hall.ics"}
    first = said['kokubus hub init --operator "Erika Mustermann" --email erika@example.org']
    assert "/sign-in/" in first
    assert "4 new" in said["kokubus hub import members.csv badges.csv"]
    booked = said["kokubus hub import bookings hall.ics --room ettmannsweiler-hall"]
    assert int(booked.split(" new")[0].split()[-1]) > 50
    assert "in epoch" in said['mv "$KOKUBUS_HUB_DATA_DIR" "$KOKUBUS_HUB_DATA_DIR.before"']


@pytest.mark.usefixtures("folder")
def test_what_was_restored_is_what_was_saved() -> None:
    """The backup's and the restore's own blocks, around a hub that has an operator."""
    saving = next(text for text in TESTED if "VACUUM INTO" in text)
    restoring = next(text for text in TESTED if "hub restored" in text)
    late = "kokubus hub operator add Late --email late@example.org\n"
    for script in (TESTED[0], saving, f"{late}{restoring}"):
        done = run(script)
        assert done.code == 0, done.err
    assert run("kokubus hub operator link erika@example.org").code == 0
    assert "no operator has the address" in run("kokubus hub operator link late@example.org").err


def test_the_program_is_installed_under_its_name() -> None:
    """The other tests call it in their own process."""
    command = [str(Path(sys.executable).parent / "kokubus"), "hub", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.stdout.startswith("usage: kokubus hub"), done.stderr


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
    hubs = "".join(path.read_text() for path in (ROOT / "hub/kokubus_hub").rglob("*.py"))
    doors = "".join(path.read_text() for path in (ROOT / "edge/kokubus_edge").rglob("*.py"))
    doors += "".join(path.read_text() for path in (ROOT / "core/kokubus").glob("door*.py"))
    raised = {DoorForced.kind, DoorHeld.kind}
    raised |= set(re.findall(r"\balarm(?:_once)?[(, ]+\"(\w+)\"", hubs))
    raised |= set(re.findall(r"(?:alarm=|ALARM = |_alarmed\(|_changed\()\"(\w+)\"", doors + hubs))
    several_of = r"_ALARM\.c\.kind\.in_\(([\s\S]*?)\)\s*,?\s*\)|SILENCE = (.*)"
    for several in re.findall(several_of, doors + hubs):
        raised |= set(re.findall(r"\"(\w+)\"", "".join(several)))
    trouble = (ROOT / "edge/kokubus_edge/trouble.py").read_text()
    raised |= set(re.findall(r"``(\w+_\w+)``", trouble))
    explained = set(re.findall(r"^\| `(\w+)`", TEXTS[ALARMS], re.MULTILINE))
    assert {"device_offline", "keyholder_used", "spool_full", "calendar_failed"} <= raised
    assert raised == explained


def test_every_setting_stands_there_with_its_default() -> None:
    rows = re.findall(r"^\| `KOKUBUS_HUB_(\w+)` \| (.*?) ?\|", TEXTS[SETTINGS], re.MULTILINE)
    told = {name.lower(): default for name, default in rows}
    true = {one.name: str(one.default or "") for one in fields(Settings)}
    assert told.pop("commute_source") in true.pop("commute_source")
    assert told == true


def test_no_page_names_a_setting_that_is_none() -> None:
    known = {f"{PREFIX}{one.name.upper()}" for one in fields(Settings)}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", TEXT)) <= known


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    """What the hub's OpenAPI says of its paths."""
    with TemporaryDirectory() as folder:
        hub.main(["--data-dir", folder, "init"])
        settings = load({}, Path(folder))
        engine = engine_for(settings.database)
        app = create_app(settings, engine, Keyring.load(settings.keys_dir), Mock())
        engine.dispose()
    schema: dict[str, Any] = app.openapi()
    return schema


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_what_it_says_of_the_api_exists(api: dict[str, Any], method: str, path: str) -> None:
    """Names in capitals stand for what the reader knows."""
    wanted = re.sub(r"{\w+(:path)?}|\b[A-Z]+\b", "{}", path)
    paths = {re.sub(r"{\w+}", "{}", known): does for known, does in api["paths"].items()}
    assert method.lower() in paths[wanted]


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_its_bodies_are_what_the_api_takes(
    api: dict[str, Any], method: str, path: str, body: str
) -> None:
    SHAPES[path].model_validate_json(body)
    assert "requestBody" in api["paths"][path][method.lower()] or path.startswith("/api/v1/hooks")


def test_it_shows_a_body_for_each() -> None:
    assert {path for _, path, _ in BODIES} == set(SHAPES)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", TEXTS[page]):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_page_is_in_the_list() -> None:
    assert set(PAGES) == set((ROOT / "docs/operate").glob("*.md"))
