"""How far a device believes its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from kokubus.messages import Clock
from kokubus_edge import clock as clocks
from kokubus_edge.clock import HOLDOVER_MS, DeviceClock, Machine, boot_id, boot_ms, kernel_synced
from kokubus_edge.rtc import Rtc, RtcState

START = 1_790_000_000_000


@dataclass
class Board:
    """A computer whose clocks and NTP daemon a test moves."""

    wall: int = START
    mono: int = 1_000
    boot: str = "boot-1"
    synced: bool = True
    rtc: int | None = None
    """How far the battery clock is from the true time; None: there is none, or it is flat."""
    true: int = START

    def clock(
        self, path: Path, always: Clock | None = None, drift_ppm: float | None = 3.5
    ) -> DeviceClock:
        machine = Machine(
            wall=lambda: self.wall,
            mono=lambda: self.mono,
            boot=lambda: self.boot,
            synced=lambda: self.synced,
            rtc=self._rtc,
        )
        return DeviceClock(path, machine, drift_ppm=drift_ppm, always=always)

    def _rtc(self, last: int | None) -> Rtc:
        assert last is not None
        at = None if self.rtc is None else (self.true + self.rtc) // 1000 * 1000
        return Rtc(RtcState.FLAT if at is None else RtcState.OK, "", at)

    def pass_ms(self, ms: int) -> None:
        self.true += ms
        self.wall += ms
        self.mono += ms

    def power_cut(self, *, wall_ms: int) -> None:
        """Boots with the wall clock moved on by ``wall_ms``, and no network."""
        self.boot, self.mono, self.synced = self.boot + "'", 1_000, False
        self.wall += wall_ms

    def off_ms(self, ms: int) -> None:
        """Stands without power for so long; the battery clock, if any, sets the time at boot."""
        self.true += ms
        self.power_cut(wall_ms=0)
        if self.rtc is not None:
            self.wall = self.true + self.rtc


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


@pytest.mark.parametrize("step_ms", [-3_000, -3_600_000, 3_600_000])
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


DAY_MS = 86_400_000


def test_a_battery_clock_carries_over_a_power_cut(board: Board, path: Path) -> None:
    board.rtc = 0
    board.clock(path).remember()
    board.off_ms(3_600_000)
    clock = board.clock(path)
    assert clock.trust() is Clock.HOLDOVER
    board.pass_ms(HOLDOVER_MS - DAY_MS)
    assert clock.trust() is Clock.HOLDOVER


@pytest.mark.parametrize(("drift_ppm", "days"), [(3.5, 190), (20, 33), (200, 3)])
def test_it_carries_as_long_as_its_stated_drift_allows(
    board: Board, path: Path, drift_ppm: float, days: int
) -> None:
    board.rtc = 0
    board.clock(path, drift_ppm=drift_ppm).remember()
    board.off_ms(days * DAY_MS)
    clock = board.clock(path, drift_ppm=drift_ppm)
    assert clock.trust() is Clock.HOLDOVER
    clock.remember()  # reading it again makes nothing younger
    board.off_ms(max(1, days // 10) * DAY_MS)
    assert board.clock(path, drift_ppm=drift_ppm).trust() is Clock.UNTRUSTED


def test_while_it_runs_the_battery_clock_is_asked_again(board: Board, path: Path) -> None:
    board.rtc = 0
    clock = board.clock(path)
    clock.remember()
    board.synced = False
    for _ in range(30 * 24):
        board.pass_ms(3_600_000)
        clock.remember()
        assert clock.trust() is Clock.HOLDOVER


@pytest.mark.parametrize("rtc", [None, -61_000, 61_000, -30 * DAY_MS])
def test_a_flat_cell_or_another_time_than_the_systems_carries_nothing(
    board: Board, path: Path, rtc: int | None
) -> None:
    board.rtc = 0
    board.clock(path).remember()
    board.off_ms(3_600_000)
    board.rtc = rtc
    assert board.clock(path).trust() is Clock.UNTRUSTED


def test_a_battery_clock_nobody_has_stated_the_drift_of_carries_nothing(
    board: Board, path: Path
) -> None:
    board.rtc = 0
    board.clock(path, drift_ppm=None).remember()
    board.off_ms(3_600_000)
    assert board.clock(path, drift_ppm=None).trust() is Clock.UNTRUSTED


def test_what_the_hub_tells_puts_the_time_right(board: Board, path: Path) -> None:
    board.power_cut(wall_ms=-5 * DAY_MS)
    clock = board.clock(path)
    asked = clock.mono()
    board.pass_ms(400)
    assert clock.told(START + 200, asked)
    assert clock.trust() is Clock.HOLDOVER
    assert abs(clock.now() - (START + 400)) <= 200
    board.pass_ms(60_000)
    assert abs(clock.now() - (START + 60_400)) <= 200


def test_an_answer_that_was_long_on_its_way_says_nothing(board: Board, path: Path) -> None:
    board.power_cut(wall_ms=0)
    clock = board.clock(path)
    asked = clock.mono()
    board.pass_ms(10_001)
    assert not clock.told(START, asked)
    assert clock.trust() is Clock.UNTRUSTED


def test_the_kernel_knows_better_than_the_hub(board: Board, path: Path) -> None:
    board.power_cut(wall_ms=0)
    clock = board.clock(path)
    clock.told(START + DAY_MS, clock.mono())
    board.synced = True
    assert clock.trust() is Clock.SYNCED
    assert clock.now() == board.wall
    assert not clock.told(START, clock.mono())


def test_when_the_kernel_learns_the_time_nobody_sees_another_instant(
    board: Board, path: Path
) -> None:
    """Whoever asks first, and whether they ask how far to believe it before or after."""
    board.power_cut(wall_ms=-5 * DAY_MS)
    clock = board.clock(path)
    clock.told(START, clock.mono())
    board.pass_ms(60_000)
    before = clock.now()
    board.wall, board.synced = START + 60_000, True
    assert (before, clock.now(), clock.trust(), clock.now()) == (
        START + 60_000,
        START + 60_000,
        Clock.SYNCED,
        START + 60_000,
    )
    board.synced = False
    board.pass_ms(1_000)
    assert (clock.now(), clock.trust()) == (START + 61_000, Clock.HOLDOVER)


def test_somebody_who_sets_the_clock_ends_the_belief_in_what_was_told(
    board: Board, path: Path
) -> None:
    board.power_cut(wall_ms=0)
    clock = board.clock(path)
    clock.told(START, clock.mono())
    board.wall += 3_600_000
    assert clock.trust() is Clock.UNTRUSTED


@pytest.mark.parametrize("leap_ms", [-1_000, 1_000])
def test_a_leap_second_is_nobody_setting_the_clock(board: Board, path: Path, leap_ms: int) -> None:
    """Inserted, the kernel says the last second of the day twice; deleted, never."""
    clock = board.clock(path)
    clock.trust()
    board.wall += leap_ms
    assert clock.trust() is Clock.SYNCED
    board.synced = False
    assert clock.trust() is Clock.HOLDOVER
    board.pass_ms(10)
    assert clock.trust() is Clock.HOLDOVER


@pytest.mark.parametrize(
    ("state", "synced"),
    [("OK", True), ("INS", True), ("DEL", True), ("OOP", True), ("WAIT", True), ("ERROR", False)],
)
def test_the_kernel_is_synced_in_every_state_but_error(
    monkeypatch: pytest.MonkeyPatch, state: str, synced: bool
) -> None:
    """adjtimex(2): a leap second that is announced or going on is no error."""
    code = ("OK", "INS", "DEL", "OOP", "WAIT", "ERROR").index(state)
    monkeypatch.setattr(clocks.ctypes, "CDLL", lambda *_, **__: Kernel(code))
    assert kernel_synced() is synced


class Kernel:
    def __init__(self, code: int) -> None:
        self.code = code

    def adjtimex(self, _timex: object) -> int:
        return self.code


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "UTC"])
def test_a_time_zone_and_its_summer_change_nothing(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    before = clocks.wall_ms()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert 0 <= clocks.wall_ms() - before < 60_000
    finally:
        monkeypatch.undo()
        time.tzset()


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
