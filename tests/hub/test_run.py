"""The supervisor, as a process of its own: starts roles, starts them again, ends them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kokubus.errors import KokubusError
from kokubus_hub import run
from kokubus_hub.settings import Settings

pytestmark = pytest.mark.slow
PATIENCE_S = 60
CODE = """
import os, signal, sys, time
from pathlib import Path
from kokubus_hub.run import Supervisor

def noted(role, then):
    def work():
        with open(f"{role}.pids", "a") as file:
            file.write(f"{os.getpid()}\\n")
        then()
    return work

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path("stubborn.ready").touch()
    time.sleep(600)

def crash():
    raise RuntimeError("broken")

Supervisor({ROLES}, grace_s=2).run()
"""
SLEEP = "noted('{0}', lambda: time.sleep(600))"


@contextmanager
def supervised(folder: Path, roles: str) -> Iterator[subprocess.Popen[bytes]]:
    code = CODE.replace("{ROLES}", "{" + roles + "}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pids(folder: Path, role: str) -> list[int]:
    path = folder / f"{role}.pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def two(folder: Path) -> str:
    return f"'a': {SLEEP.format('a')}, 'b': {SLEEP.format('b')}"


def started(folder: Path) -> tuple[int, int]:
    wait(lambda: pids(folder, "a") and pids(folder, "b"))
    return pids(folder, "a")[0], pids(folder, "b")[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_role(tmp_path: Path, number: signal.Signals) -> None:
    with supervised(tmp_path, two(tmp_path)) as process:
        children = started(tmp_path)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        assert not any(lives(child) for child in children)


def test_a_role_that_is_killed_is_started_again_the_other_goes_on(tmp_path: Path) -> None:
    with supervised(tmp_path, two(tmp_path)):
        first, other = started(tmp_path)
        os.kill(first, signal.SIGKILL)
        wait(lambda: len(pids(tmp_path, "a")) == 2)
        assert lives(other)
        assert pids(tmp_path, "b") == [other]


def test_a_role_that_crashes_says_why_and_is_tried_again(tmp_path: Path) -> None:
    with supervised(tmp_path, "'a': noted('a', crash)"):
        wait(lambda: len(pids(tmp_path, "a")) >= 2)
    log = (tmp_path / "log").read_text()
    assert "broken" in log
    assert "role_ended" in log


def test_roles_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, two(tmp_path)) as process:
        children = started(tmp_path)
        process.kill()
        wait(lambda: not any(lives(child) for child in children))


def test_a_role_that_will_not_end_is_killed(tmp_path: Path) -> None:
    roles = "'a': noted('a', stubborn)"
    with supervised(tmp_path, roles) as process:
        wait((tmp_path / "stubborn.ready").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert not lives(pids(tmp_path, "a")[0])


def test_a_hub_that_was_never_set_up_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KokubusError, match="kokubus hub init"):
        run.serve(Settings(data_dir=tmp_path))


def test_no_role_carries_what_only_some_commands_need() -> None:
    """Twenty megabytes that every hub would hold, whether it has an InfluxDB or not."""
    code = (
        "import sys; from importlib import import_module; from kokubus_hub.run import ROLES\n"
        "for module in ROLES.values(): import_module(module)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "fastapi" in loaded.stdout.split()
    assert not {"alembic", "grafana_api", "influxdb_client"} & set(loaded.stdout.split())
