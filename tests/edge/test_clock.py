"""How far a device believes its clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from kokubus.messages import Clock
from kokubus_edge.clock import HOLDOVER_MS, DeviceClock, Machine, boot_id, boot_ms, kernel_synced

START = 1_790_000_000_000


@dataclass
class Board:
    """A computer whose clocks and NTP daemon a test moves."""

    wall: int = START
    mono: int = 1_000
    boot: str = "boot-1"
    synced: bool = True
    battery: bool = False

    def clock(self, path: Path, always: Clock | None = None) -> DeviceClock:
        machine = Machine(
            wall=lambda: self.wall,
            mono=lambda: self.mono,
            boot=lambda: self.boot,
            synced=lambda: self.synced,
            battery=lambda: self.battery,
        )
        return DeviceClock(path, machine, always=always)

    def pass_ms(self, ms: int) -> None:
        self.wall += ms
        self.mono += ms

    def power_cut(self, *, wall_ms: int) -> None:
        """Boots with the wall clock moved on by ``wall_ms``, and no network."""
        self.boot, self.mono, self.synced = self.boot + "'", 1_000, False
        self.wall += wall_ms


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "clock.json"


def test_synced_by_the_kernels_word(board: Board, path: Path) -> None:
    assert board.clock(path).trust() is Clock.SYNCED


def test_a_new_device_without_network_is_not_believed(board: Board, path: Path) -> None:
    board.synced = False
    assert board.clock(path).trust() is Clock.UNTRUSTED


def test_it_holds_over_for_seven_days_of_a_boot(board: Board, path: Path) -> None:
    clock = board.clock(path)
    clock.trust()
    board.synced = False
    board.pass_ms(HOLDOVER_MS - 1)
    assert clock.trust() is Clock.HOLDOVER
    board.pass_ms(1)
    assert clock.trust() is Clock.UNTRUSTED


@pytest.mark.parametrize("step_ms", [-1, -3_600_000, 3_600_000])
def test_a_clock_that_somebody_set_is_not_believed(board: Board, path: Path, step_ms: int) -> None:
    clock = board.clock(path)
    clock.trust()
    board.synced = False
    board.wall += step_ms
    assert clock.trust() is Clock.UNTRUSTED


@pytest.mark.parametrize("wall_ms", [-5_000, 0, 60_000])
def test_a_power_cut_without_battery_ends_the_belief(
    board: Board, path: Path, wall_ms: int
) -> None:
    board.clock(path).remember()
    board.power_cut(wall_ms=wall_ms)
    assert board.clock(path).trust() is Clock.UNTRUSTED


def test_a_battery_carries_over_a_power_cut_but_never_back(board: Board, path: Path) -> None:
    board.clock(path).remember()
    board.battery = True
    board.power_cut(wall_ms=60_000)
    assert board.clock(path).trust() is Clock.HOLDOVER
    board.wall = START - 1
    assert board.clock(path).trust() is Clock.UNTRUSTED


def test_an_agent_restart_keeps_the_holdover_of_its_boot(board: Board, path: Path) -> None:
    board.clock(path).remember()
    board.synced = False
    board.pass_ms(60_000)
    assert board.clock(path).trust() is Clock.HOLDOVER


def test_the_last_trusted_time_never_goes_back(board: Board, path: Path) -> None:
    board.clock(path).remember()
    board.wall -= 10_000
    board.clock(path).remember()
    board.synced = False
    assert board.clock(path).trust() is Clock.UNTRUSTED


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"at": "x"}', b"null"])
def test_a_damaged_file_is_nothing_to_hold_over_from(
    board: Board, path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    board.synced = False
    assert board.clock(path).trust() is Clock.UNTRUSTED


@pytest.mark.parametrize("state", list(Clock))
def test_a_simulation_says_what_it_wants_believed(board: Board, path: Path, state: Clock) -> None:
    assert board.clock(path, always=state).trust() is state


def test_nothing_is_kept_that_was_never_trusted(board: Board, path: Path) -> None:
    board.synced = False
    board.clock(path).remember()
    assert not path.exists()


def test_the_real_machine_answers(path: Path) -> None:
    clock = DeviceClock(path)
    assert clock.boot == boot_id()
    assert START < clock.now() < 2**42
    before = boot_ms()
    assert before <= clock.mono() <= boot_ms()
    assert clock.trust() in set(Clock)
    assert (clock.trust() is Clock.SYNCED) == kernel_synced()
