"""What a look at the battery clock finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokubus_edge.rtc import Rtc, RtcState, look

NOW_S = 1_790_000_000


def rtc(folder: Path, **files: str | None) -> Path:
    """Linux's view of a battery clock; None is a file that cannot be read as a number."""
    for name, text in files.items():
        (folder / name).write_text("" if text is None else f"{text}\n")
    return folder


def test_a_board_without_one(tmp_path: Path) -> None:
    found = look(folder=tmp_path / "rtc0")
    assert (found.state, found.at) == (RtcState.ABSENT, None)


@pytest.mark.parametrize("files", [{}, {"battery_voltage": "3012345"}])
def test_one_that_keeps_the_time(tmp_path: Path, files: dict[str, str]) -> None:
    found = look(NOW_S * 1000 - 1, rtc(tmp_path, since_epoch=str(NOW_S), **files))
    assert (found.state, found.at) == (RtcState.OK, NOW_S * 1000)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"battery_voltage": "412000", "since_epoch": str(NOW_S)}, "0.4 V"),
        ({"since_epoch": None}, "lost the time"),
        ({}, "lost the time"),
        ({"since_epoch": "12"}, "stood still"),
        ({"since_epoch": str(NOW_S - 10)}, "stood still"),
    ],
)
def test_a_flat_cell(tmp_path: Path, files: dict[str, str | None], why: str) -> None:
    found = look(NOW_S * 1000, rtc(tmp_path, **files))
    assert (found.state, found.at) == (RtcState.FLAT, None)
    assert why in found.detail
    assert "replace it" in found.detail


def test_this_machine_has_one_or_not() -> None:
    assert isinstance(look(), Rtc)
