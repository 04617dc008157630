"""An update on a card or a system that does not do what it should: undone, told, and over."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kokubus.errors import KokubusError
from kokubus_edge import remote, updating
from kokubus_edge.updating import REQUEST, RESULT, Request, UpdateError, alone, pending


@dataclass
class Releases:
    """The two links, and what goes wrong."""

    links: dict[str, str] = field(default_factory=lambda: {"current": "0.1.0", "steady": "0.1.0"})
    fault: Exception | None = None

    def current(self) -> str:
        return self.links["current"]

    def steady(self) -> str:
        return self.links["steady"]

    def install(self, *_: str) -> None:
        if self.fault:
            raise self.fault

    def turn(self, link: str, version: str) -> None:
        self.links[link] = version

    def forget_all_but(self, *_: str) -> None:
        """Nothing is there."""


def update(data: Path, releases: Releases, restart: Callable[[], None] = lambda: None) -> str:
    updating.request(data, Request(version="0.2.0", sha256="0" * 64, wheels="w", order="o"))
    given: Any = releases
    return pending(data, given, restart, patience_s=1, sleep=lambda _: None)


def test_an_agent_that_cannot_be_restarted_keeps_its_release(tmp_path: Path) -> None:
    """Else it would begin with the new one some day, and nobody would watch over that."""

    def restart() -> None:
        raise KokubusError("systemctl cannot be asked")

    releases = Releases()
    assert update(tmp_path, releases, restart) == "systemctl cannot be asked"
    assert releases.links == {"current": "0.1.0", "steady": "0.1.0"}
    assert updating.take_result(tmp_path) == {
        "order": "o",
        "outcome": "failed",
        "report": "systemctl cannot be asked",
    }


def test_a_full_card_is_a_result(tmp_path: Path) -> None:
    releases = Releases(fault=OSError(errno.ENOSPC, "No space left on device"))
    assert "No space left" in update(tmp_path, releases)
    assert updating.result(tmp_path)["outcome"] == "failed"
    assert not (tmp_path / REQUEST).exists()


def test_a_result_that_cannot_be_written_does_not_begin_it_again(tmp_path: Path) -> None:
    (tmp_path / f".{RESULT}.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        update(tmp_path, Releases())
    assert not (tmp_path / REQUEST).exists()


def test_an_order_while_another_is_under_way_is_refused_and_takes_nothing_from_it(
    tmp_path: Path,
) -> None:
    """It would be thrown away with the first one's request, and "started" for ever."""
    refused: list[str] = []

    def restart() -> None:
        with pytest.raises(UpdateError) as told:
            updating.ordered(tmp_path, "w", "o2", f"0.3.0 sha256:{'1' * 64}")
        refused.append(str(told.value))

    assert "did not report healthy" in update(tmp_path, Releases(), restart)
    assert "wait for its result" in refused[0]
    assert updating.result(tmp_path)["order"] == "o"
    assert updating.ordered(tmp_path, "w", "o3", f"0.3.0 sha256:{'1' * 64}")[0] == "started"


def test_two_do_not_carry_it_out_at_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        alone(data),
        (data / "update.lock").open("wb") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (data / "update.lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("asked", "count"), [("100", 100), ("", 200), ("x", 200), ("9" * 12, 2_000)]
)
def test_no_more_of_the_journal_is_read_than_a_report_holds(
    asked: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def journal(lines: int) -> list[str]:
        read.append(lines)
        return ["a", "b"]

    monkeypatch.setattr(remote, "_journal", journal)
    assert remote._logs("o", asked) == ("done", "a\nb")
    assert read == [count]
