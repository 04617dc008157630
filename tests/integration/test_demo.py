"""The demo as somebody would try it: started, tapped at, cut off, restored and ended."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

PATIENCE_S = 120
KOKUBUS = Path(sys.executable).parent / "kokubus"
FRONT = "ettmannsweiler-front"


@dataclass
class Demo:
    """A demo in ``run``; nothing else of ``home`` is its own."""

    home: Path
    process: subprocess.Popen[bytes]

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def said(self) -> str:
        return (self.home / "said").read_text("utf-8")

    def kokubus(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a command, typed while the demo runs."""
        done = subprocess.run(
            [KOKUBUS, *words],
            env=environment(self.home),
            cwd=self.home / "empty",
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def tap(self, door: str, badge: str) -> tuple[int, str]:
        """The same at a door, until it is the hub that has decided: it may be too busy at first."""
        last = (2, "")

        def decided() -> bool:
            nonlocal last
            last = self.kokubus("edge", "tap", door, badge)
            return "The hub decided" in last[1]

        self.until(decided, f"the hub to decide about {badge}")
        return last

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """What the hub's database says."""
        database = f"file:{self.run}/hub/kokubus.db?mode=ro"
        with closing(sqlite3.connect(database, uri=True)) as connection:
            return connection.execute(query).fetchall()

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, f"{what}: waited {PATIENCE_S} s in vain"
            time.sleep(0.1)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    @property
    def processes(self) -> list[str]:
        """Command lines of all that have to do with this demo."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                place = str((folder / "cwd").readlink())
            except OSError:
                continue  # it has just ended, or is not ours to see
            if words and (str(self.run) in words or place.startswith(str(self.run))):
                found.append(words)
        return found

    @property
    def litter(self) -> list[Path]:
        """Files it has left outside its run directory."""
        return [path for name in ("empty", "user", "tmp") for path in (self.home / name).iterdir()]


def environment(home: Path) -> dict[str, str]:
    """Where whatever writes to the usual places is noticed."""
    places = {"HOME": str(home / "user"), "TMPDIR": str(home / "tmp")}
    return {**os.environ, **places, "KOKUBUS_RUN": str(home / "run")}


def start(home: Path, *options: str) -> Demo:
    for name in ("empty", "user", "tmp"):
        (home / name).mkdir()
    with (home / "said").open("wb") as said:
        process = subprocess.Popen(
            [KOKUBUS, "demo", "start", "--port", "0", "--duration", "3600", *options],
            env=environment(home),
            cwd=home / "empty",
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    return Demo(home, process)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    made = start(tmp_path_factory.mktemp("demo"))
    try:
        made.until(lambda: "Ctrl-C ends it all" in made.said, "the demo")
        yield made
        assert made.end(signal.SIGINT) == 0
        assert made.processes == []
        assert made.litter == []
    finally:
        made.process.kill()
        made.process.wait()


def test_people_come_by_themselves(demo: Demo) -> None:
    granted = "SELECT count(*) FROM enforcement WHERE granted"
    demo.until(lambda: demo.ask(granted)[0][0], "the first tap that opens")
    passed = "SELECT count(*) FROM passage JOIN access_event USING (tap)"
    demo.until(lambda: demo.ask(passed)[0][0], "the first person to walk in")


def test_the_pasted_grant_opens(demo: Demo) -> None:
    code, said = demo.tap(FRONT, "ahorn")
    assert code == 0
    assert "opened for Mitglied Ahorn" in said
    assert "(booked)" in said


def test_the_pasted_denial_says_why_and_whom_to_call(demo: Demo) -> None:
    code, said = demo.tap("bad-liebenzell-front", "erle")
    assert code == 1
    assert "stays locked for Mitglied Erle" in said
    assert "The hub decided: there is no booking for this place (no_booking)." in said
    assert "Help: +49 30 23125 020" in said


@pytest.mark.parametrize(
    ("door", "badge", "reason"),
    [
        (FRONT, "esche", "too_early"),
        (FRONT, "tanne", "keyholder"),
        ("bad-liebenzell-front", "mispel", "member_suspended"),
        ("ebhausen-front", "robinie", "badge_blocked"),
        ("kokubus-door", "feige", "wrong_place"),
        ("kokubus-door", "lorbeer", "entitled"),
        ("ostelsheim-gate", "04FFFFFFFFFFFF", "badge_unknown"),
    ],
)
def test_the_cast_plays_its_parts(demo: Demo, door: str, badge: str, reason: str) -> None:
    _, said = demo.tap(door, badge)
    assert f"({reason})" in said


def test_a_cut_site_opens_by_itself_and_reports_later(demo: Demo) -> None:
    code, said = demo.kokubus("demo", "cut", "ostelsheim")
    assert (code, "nothing gets through to ostelsheim" in said) == (0, True)
    try:
        code, said = demo.kokubus("edge", "tap", "ostelsheim-gate", "speierling")
        assert code == 0
        assert "The door decided by itself" in said
        _, booked = demo.kokubus("demo", "book", "erle", "ostelsheim-loft")
        assert "ostelsheim-gate: not yet delivered" in booked
        code, said = demo.kokubus("edge", "tap", "ostelsheim-gate", "erle")
        assert code == 1
    finally:
        assert demo.kokubus("demo", "restore", "ostelsheim")[0] == 0
    alone = "SELECT count(*) FROM enforcement WHERE by = 'edge' AND granted"
    demo.until(lambda: demo.ask(alone)[0][0], "what the door did alone")
    demo.until(
        lambda: demo.kokubus("edge", "tap", "ostelsheim-gate", "erle")[0] == 0,
        "the booking made meanwhile",
    )


def test_the_page_is_there_and_says_that_it_is_simulated(demo: Demo) -> None:
    address = next(word for word in demo.said.split() if "/sign-in/" in word).split("sign-in")[0]
    with urlopen(address, timeout=PATIENCE_S) as answer:  # noqa: S310 - http on loopback
        page = answer.read().decode().lower()
    assert "simul" in page
    assert "SIMULATED" in demo.said


def test_what_is_not_there_is_named(demo: Demo) -> None:
    code, said = demo.kokubus("demo", "cut", "calw")
    assert code == 2
    assert "there are: bad-liebenzell, ebhausen, ettmannsweiler, kokubus, ostelsheim" in said
    code, said = demo.kokubus("demo", "start")
    assert code == 2
    assert "a demo runs here already" in said


def test_without_a_demo_the_commands_say_so(tmp_path: Path) -> None:
    for words in (("demo", "cut", "x"), ("demo", "book", "x", "y"), ("edge", "tap", "x", "y")):
        done = subprocess.run(
            [KOKUBUS, *words],
            env={**os.environ, "KOKUBUS_RUN": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 2
        assert "start one with scripts/demo" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_demo_ended_while_it_begins(
    tmp_path: Path, number: signal.Signals
) -> None:
    demo = start(tmp_path, "--quiet-people")
    try:
        demo.until(lambda: len(demo.processes) > 6, "its first processes")
        code = demo.end(number)
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while demo.processes and time.monotonic() < deadline:
            time.sleep(0.1)
        assert demo.processes == []
    finally:
        demo.process.kill()
        demo.process.wait()
