"""Another release on a door: real environments, real pip, local wheels, and no power when it hurts.

The releases are small stand-ins: ``kokubus edge check`` and ``run`` of each does what its test
needs, and each brings a lock file and a package that it depends on.
"""

from __future__ import annotations

import base64
import csv
import fcntl
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.edge.simulated_device import SITE

from kokubus import logs
from kokubus_edge import cli, cli_update, updating
from kokubus_edge.release import ReleaseError, Releases
from kokubus_edge.updating import Request, UpdateError, pending

pytestmark = pytest.mark.slow
RELEASES = {"0.1.0": "healthy", "0.2.0": "healthy", "0.3.0": "sick", "0.4.0": "crashing"}
_MAIN = """
import json, pathlib, sys
import tinydep
VERSION, HOW = {version!r}, {how!r}
def main():
    words = sys.argv[1:]
    config = pathlib.Path(words[words.index("--config") + 1])
    if words[1] == "check" and HOW == "confused":
        sys.exit("site.toml: what is that?")
    if words[1] == "run" and HOW == "healthy":
        told = json.dumps({{"version": VERSION}})
        (config.parent / "data" / "healthy.json").write_text(told)
    if words[1] == "run" and HOW == "crashing":
        sys.exit(1)
"""


def wheel(folder: Path, name: str, version: str, files: dict[str, str], scripts: str = "") -> str:
    """Write a wheel (PEP 427); its SHA-256."""
    info = f"{name}-{version}.dist-info"
    inside = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        inside[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}\n"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for path, text in inside.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        rows.writerow([path, f"sha256={digest.rstrip('=')}", len(text.encode())])
    rows.writerow([f"{info}/RECORD", "", ""])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for inner, text in inside.items():
            packed.writestr(inner, text)
        packed.writestr(f"{info}/RECORD", record.getvalue())
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Card:
    """A device's card: its releases, its data, and the agent that systemd would start."""

    folder: Path
    wheels: Path
    lock: str
    sums: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    before_restart: Callable[[], None] = lambda: None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def releases(self) -> Releases:
        return Releases(self.folder / "programs", self.folder / "agent.toml")

    def publish(self, version: str, how: str = "healthy") -> None:
        files = {
            "kokubus_fake.py": _MAIN.format(version=version, how=how),
            "kokubus_edge/requirements/edge.txt": self.lock,
        }
        entry = "kokubus = kokubus_fake:main"
        self.sums[version] = wheel(self.wheels, "kokubus", version, files, entry)

    def restart(self) -> None:
        self.before_restart()
        self.restarts += 1
        program = self.folder / "programs" / "current" / "bin" / "kokubus"
        words = [program, "edge", "run", "--config", self.folder / "agent.toml"]
        subprocess.run(words, check=False, timeout=60)

    def ask(self, version: str, sha256: str = "", order: str = "o1") -> None:
        sha256 = sha256 or self.sums[version]
        wanted = Request(version=version, sha256=sha256, wheels=str(self.wheels), order=order)
        updating.request(self.data, wanted)

    def carry_out(self, sleep: Callable[[float], None] = lambda _s: None) -> str:
        return pending(self.data, self.releases, self.restart, patience_s=3, sleep=sleep)

    def links(self) -> tuple[str, str]:
        return self.releases.current(), self.releases.steady()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    """A card with four releases installed, which takes its time: they cannot be moved."""
    folder = tmp_path_factory.mktemp("card")
    for name in ("programs", "data", "wheels"):
        (folder / name).mkdir()
    digest = wheel(folder / "wheels", "tinydep", "1.0", {"tinydep.py": ""})
    made = Card(folder, folder / "wheels", f"tinydep==1.0 --hash=sha256:{digest}\n")
    with pytest.MonkeyPatch.context() as alone:
        alone.setenv("PIP_NO_INDEX", "1")
        alone.delenv("PYTHONPATH", raising=False)
        for version, how in RELEASES.items():
            made.publish(version, how)
            made.releases.install(version, made.sums[version], str(made.wheels))
        yield made


@pytest.fixture
def card(made: Card, monkeypatch: pytest.MonkeyPatch) -> Card:
    """The device on which 0.1.0 runs; what one test installs, no other forgets."""
    shutil.rmtree(made.data)
    made.data.mkdir()
    for link in ("current", "steady"):
        made.releases.turn(link, "0.1.0")
    monkeypatch.setattr(Releases, "forget_all_but", lambda *_: None)
    return replace(made, restarts=0)


def test_a_release_that_proves_healthy_stays(card: Card) -> None:
    card.ask("0.2.0")
    assert card.carry_out() == "0.2.0 runs and is healthy"
    assert card.links() == ("0.2.0", "0.2.0")
    assert updating.take_result(card.data) == {
        "order": "o1",
        "outcome": "done",
        "report": "0.2.0 runs and is healthy",
    }
    assert updating.take_result(card.data) is None
    assert card.carry_out() == "no update was asked for"


@pytest.mark.parametrize("version", ["0.3.0", "0.4.0"])
def test_one_that_does_not_prove_healthy_is_undone(card: Card, version: str) -> None:
    card.ask(version)
    assert "did not report healthy within 3 s; back to 0.1.0" in card.carry_out()
    assert card.links() == ("0.1.0", "0.1.0")
    assert card.restarts == 2
    assert updating.result(card.data)["outcome"] == "failed"


def test_one_that_does_not_understand_the_settings_is_never_started(card: Card) -> None:
    card.publish("0.5.0", "confused")
    card.ask("0.5.0")
    assert "site.toml: what is that?" in card.carry_out()
    assert (card.links(), card.restarts) == (("0.1.0", "0.1.0"), 0)


def test_a_wheel_with_another_hash_is_refused(card: Card) -> None:
    card.publish("0.6.0")
    card.ask("0.6.0", sha256="0" * 64)
    assert "HASH" in card.carry_out().upper()
    assert (card.links(), card.restarts) == (("0.1.0", "0.1.0"), 0)


def test_a_package_it_needs_with_another_hash_is_refused(card: Card) -> None:
    card.lock = f"tinydep==1.0 --hash=sha256:{'0' * 64}\n"
    card.publish("0.7.0")
    card.ask("0.7.0")
    assert "HASH" in card.carry_out().upper()
    assert card.links() == ("0.1.0", "0.1.0")


def test_a_release_that_is_nowhere_is_said_so(card: Card) -> None:
    card.ask("0.9.0", sha256="0" * 64)
    assert "No matching distribution" in card.carry_out()


def test_the_version_that_runs_already_is_no_work(card: Card) -> None:
    card.ask("0.1.0")
    assert card.carry_out() == "0.1.0 runs already"
    assert card.restarts == 0


def test_old_releases_are_forgotten_but_the_one_before(tmp_path: Path) -> None:
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "complete").touch()
    releases = Releases(tmp_path, tmp_path)
    releases.turn("current", "0.3.0")
    releases.forget_all_but("0.3.0", "0.2.0")
    assert {one.name for one in tmp_path.iterdir()} == {"0.2.0", "0.3.0", "current"}


def test_a_link_never_names_what_is_not_complete(tmp_path: Path) -> None:
    (tmp_path / "0.1.0").mkdir()
    with pytest.raises(ReleaseError, match="no complete release"):
        Releases(tmp_path, tmp_path).turn("current", "0.1.0")


class PowerCutError(BaseException):
    """The plug is pulled: nothing after it runs."""


def cut(*_: object) -> None:
    raise PowerCutError


def after_the_cut(card: Card) -> str:
    """The agent comes up with what ``current`` names, and systemd starts the update again."""
    card.before_restart = lambda: None
    card.restart()
    return card.carry_out()


@pytest.mark.parametrize("version", ["0.2.0", "0.3.0"])
@pytest.mark.parametrize("when", ["turned", "waiting"])
def test_a_power_cut_at_any_moment_only_makes_it_begin_again(
    card: Card, monkeypatch: pytest.MonkeyPatch, version: str, when: str
) -> None:
    card.ask(version)
    with monkeypatch.context() as moment:
        if when == "turned":
            card.before_restart = cut
        else:
            moment.setattr(updating, "_proved", cut)
        with pytest.raises(PowerCutError):
            card.carry_out()
    assert card.links() == (version, "0.1.0")
    said = after_the_cut(card)
    wanted = version if RELEASES[version] == "healthy" else "0.1.0"
    assert card.links() == (wanted, wanted)
    assert ("is healthy" in said) is (wanted == version)


def test_a_cut_while_it_installs_leaves_nothing_half(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.publish("0.8.0")
    card.ask("0.8.0")
    with monkeypatch.context() as moment:
        moment.setattr(Releases, "_try", cut)
        with pytest.raises(PowerCutError):
            card.carry_out()
    assert card.links() == ("0.1.0", "0.1.0")
    assert after_the_cut(card) == "0.8.0 runs and is healthy"


def test_a_cut_while_it_is_undone_is_undone_after_it(card: Card) -> None:
    """The agent is what it was already; the update is tried once more and undone again."""
    card.ask("0.3.0")
    acts = iter([lambda: None, cut])

    def next_act() -> None:
        next(acts)()

    card.before_restart = next_act
    with pytest.raises(PowerCutError):
        card.carry_out()
    assert card.links() == ("0.1.0", "0.1.0")
    assert "back to 0.1.0" in after_the_cut(card)
    assert card.links() == ("0.1.0", "0.1.0")


def test_a_request_that_is_damaged_is_thrown_away(card: Card) -> None:
    (card.data / updating.REQUEST).write_text("{")
    assert card.carry_out() == "no update was asked for"
    assert not (card.data / updating.REQUEST).exists()


@pytest.mark.parametrize(("version", "sha256"), [("../evil", "0" * 64), ("0.2.0", "abc")])
def test_nonsense_is_not_even_requested(card: Card, version: str, sha256: str) -> None:
    with pytest.raises(UpdateError):
        updating.request(card.data, Request(version=version, sha256=sha256, wheels="x"))


def test_the_hub_orders_by_version_and_hash(card: Card) -> None:
    outcome, said = updating.ordered(card.data, "wheels", "o7", f"0.2.0 sha256:{'a' * 64}")
    assert outcome == "started"
    asked = json.loads((card.data / updating.REQUEST).read_text())
    assert (asked["order"], asked["version"], asked["sha256"]) == ("o7", "0.2.0", "a" * 64)
    assert "0.2.0" in said


def test_the_command_takes_the_hash_from_beside_the_wheels(
    card: Card, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "configure", lambda _stream: None)
    monkeypatch.setattr(cli_update, "restart_agent", card.restart)
    monkeypatch.setattr(updating, "PATIENCE_S", 3)
    (card.folder / "site.toml").write_text(SITE)
    (card.folder / "agent.toml").write_text('device = "dorf-1"\n[hub]\nhost = "127.0.0.1"\n')
    words = ["--config", str(card.folder / "agent.toml"), "--wheels", str(card.wheels)]
    words += ["--programs", str(card.folder / "programs")]
    assert cli.main(["update", "0.2.0", *words]) == 2
    assert "say --sha256" in capsys.readouterr().err
    sums = f"{card.sums['0.2.0']}  kokubus-0.2.0-py3-none-any.whl\n"
    (card.wheels / "SHA256SUMS").write_text(sums)
    lock = (card.data / "update.lock").open("wb")
    asked = updating.request

    def request(data: Path, wanted: Request) -> None:
        with pytest.raises(BlockingIOError):  # systemd sees the request at once, and has to wait
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        asked(data, wanted)

    monkeypatch.setattr(updating, "request", request)
    with lock:
        assert cli.main(["update", "0.2.0", *words]) == 0
    assert "0.2.0 runs and is healthy" in capsys.readouterr().out


def test_the_agent_is_restarted_by_ending_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd starts it again, and needs to give nobody a right for it."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as agent:
        said = subprocess.CompletedProcess([], 0, stdout=f"{agent.pid}\n")
        with monkeypatch.context() as faked:
            faked.setattr(cli_update.subprocess, "run", lambda *_a, **_k: said)
            cli_update.restart_agent()
        assert agent.wait(20) == -15
