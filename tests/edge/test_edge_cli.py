"""``kokubus edge``: a sentence for the technician, and an exit code for scripts."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.edge.simulated_device import SITE

from kokubus import logs
from kokubus.errors import KokubusError
from kokubus_edge import cli, hardware, running
from kokubus_edge.simulate import tapping
from kokubus_edge.simulate.pins import SimulatedPins

AGENT = """
device = "dorf-1"
simulated = true
[hub]
host = "127.0.0.1"
"""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where logs would go: they are configured for a whole process."""
    streams: list[object] = []
    monkeypatch.setattr(logs, "configure", streams.append)
    return streams


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    path = tmp_path / "agent.toml"
    path.write_text(AGENT)
    return path


def test_check_says_what_the_device_drives(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert said == f"{config}: dorf-1 at Dorf drives dorf-front, dorf-studio-door\n"


def test_a_mistake_is_a_sentence_and_exit_code_2(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(AGENT.replace("dorf-1", "dorf-9"))
    assert cli.main(["check", "--config", str(config)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("kokubus edge: agent.toml: device: site.toml has no 'dorf-9'")
    assert "Traceback" not in said.err


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    (config.parent / "data").write_text("in the way")
    assert cli.main(["run", "--config", str(config)]) == 2
    assert "data: cannot be made a folder: File exists" in capsys.readouterr().err


def test_run_runs_the_agent(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(running, "run", ran.append)
    assert cli.main(["run", "--config", str(config)]) == 0
    assert ran[0].device == "dorf-1"


def test_logs_go_to_stderr(
    config: Path, quiet: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", "--config", str(config)])
    assert quiet == [sys.stderr]


def test_release_lets_every_bolt_go(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With neither network nor identity: systemd runs it when the agent has died."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    released: list[tuple[list[str], type]] = []
    monkeypatch.setattr(
        hardware,
        "release",
        lambda doors, pins: released.append(([door.id for door in doors], type(pins))),
    )
    assert cli.main(["release", "--config", str(config)]) == 0
    assert released == [(["dorf-front", "dorf-studio-door"], SimulatedPins)]


def test_release_without_pins_is_an_error(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    assert cli.main(["release", "--config", str(config)]) == 2
    assert "GPIOZERO_PIN_FACTORY" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1])
def test_tap_says_by_its_exit_code_whether_the_door_opened(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    tapped: list[tuple[str, str]] = []

    def tap(door: str, badge: str) -> int:
        tapped.append((door, badge))
        return code

    monkeypatch.setattr(tapping, "tap", tap)
    assert cli.main(["tap", "dorf-front", "4711"]) == code
    assert tapped == [("dorf-front", "4711")]


def test_a_tap_at_nothing_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_door: str, _badge: str) -> int:
        raise KokubusError("nobody answers")

    monkeypatch.setattr(tapping, "tap", nobody)
    assert cli.main(["tap", "dorf-front", "4711"]) == 2
    assert capsys.readouterr().err == "kokubus edge: nobody answers\n"


@pytest.mark.parametrize("argv", [[], ["dance"], ["tap", "dorf-front"]])
def test_what_is_no_command_is_explained(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 2
    assert "usage: kokubus edge" in capsys.readouterr().err


def test_a_log_line_is_one_line_and_a_traceback_tells_no_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    stream, uid = io.StringIO(), "04A3C6CAE26180"
    try:
        logs.configure(stream)
        log = structlog.get_logger()
        log.debug("too quiet")
        log.info("link_up", resumed=True)
        try:
            _fail_with(uid)
        except ZeroDivisionError:
            log.exception("turn_failed")
    finally:
        structlog.reset_defaults()
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("level='info' event='link_up' resumed=True")
    assert "event='turn_failed'" in rest[0]
    assert "ZeroDivisionError" in "".join(rest)
    assert uid not in stream.getvalue()


def _fail_with(uid: str) -> float:
    return len(uid) / 0
