"""One-time codes at a device: each opens once, whatever happens to power and disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.edge.fake_clock import FakeClock
from tests.edge.policy_bench import AtOnce

from kokubus.happenings import CodeEntered, CodeJudged
from kokubus.hotp import LOOK_AHEAD, door_secret, hotp
from kokubus.messages import CodeOutcome, Side
from kokubus_edge import codes
from kokubus_edge.codes import FREE_TRIES, LOCKOUT_LONGEST_MS, LOCKOUT_MS, Codes
from kokubus_edge.trouble import Trouble

FRONT, BACK = "dorf-front", "dorf-back"
LOOKUP_KEY = bytes(range(32))
WRONG = "00000000"


@dataclass
class Keypad:
    """A device's codes; `restart` reads the same folder."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    told: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codes = Codes.of(
            self.folder,
            [FRONT, BACK],
            LOOKUP_KEY,
            clock=self.clock,
            tell=self.told.append,
            disk=AtOnce(),
        )
        self.codes.load()

    def type(self, digits: str, door: str = FRONT, code_from: int = 0) -> CodeJudged:
        self.codes.take(CodeEntered(door=door, side=Side.OUT, digits=digits), code_from)
        judged = self.told[-1]
        assert isinstance(judged, CodeJudged)
        assert (judged.door, judged.side) == (door, Side.OUT)
        return judged

    def outcome(self, digits: str, **how: Any) -> CodeOutcome:
        return self.type(digits, **how).outcome

    def restart(self, boot: str = "boot-2") -> Keypad:
        self.clock.reboot(boot)
        return Keypad(self.folder, self.clock)


@pytest.fixture
def keypad(tmp_path: Path) -> Keypad:
    return Keypad(tmp_path)


def code(counter: int, door: str = FRONT) -> str:
    return hotp(door_secret(LOOKUP_KEY, door), counter)


def test_a_code_opens_once_also_after_a_power_cut(keypad: Keypad) -> None:
    judged = keypad.type(code(0))
    assert (judged.outcome, judged.counter) == (CodeOutcome.ACCEPTED, 0)
    assert keypad.outcome(code(0)) is CodeOutcome.WRONG
    assert keypad.restart().outcome(code(0)) is CodeOutcome.WRONG


def test_it_is_on_disk_before_the_door_hears_of_it(keypad: Keypad, tmp_path: Path) -> None:
    counters: list[int] = []

    def look(_judged: object) -> None:
        held = json.loads((tmp_path / "codes.json").read_text())
        counters.append(held[FRONT]["counter"])

    keypad.codes._tell = look
    keypad.codes.take(CodeEntered(door=FRONT, digits=code(3)), 0)
    assert counters == [4]


def test_codes_read_out_and_never_typed_are_skipped(keypad: Keypad) -> None:
    assert keypad.type(code(LOOK_AHEAD - 1)).counter == LOOK_AHEAD - 1
    assert keypad.outcome(code(5)) is CodeOutcome.WRONG
    assert keypad.outcome(code(2 * LOOK_AHEAD)) is CodeOutcome.WRONG


def test_each_door_has_its_own(keypad: Keypad) -> None:
    assert keypad.outcome(code(0), door=BACK) is CodeOutcome.WRONG
    assert keypad.outcome(code(0, BACK), door=BACK) is CodeOutcome.ACCEPTED
    assert keypad.outcome(code(0)) is CodeOutcome.ACCEPTED
    assert keypad.outcome(code(0), door="elsewhere") is CodeOutcome.NOT_KEPT


def test_what_the_policy_says_has_lapsed_opens_no_more(keypad: Keypad) -> None:
    assert keypad.outcome(code(9), code_from=10) is CodeOutcome.WRONG
    assert keypad.type(code(10), code_from=10).counter == 10


def test_guessing_locks_out_longer_each_time_and_right_codes_too(keypad: Keypad) -> None:
    for _ in range(FREE_TRIES + 1):
        assert keypad.outcome(WRONG) is CodeOutcome.WRONG
    assert keypad.outcome(code(0)) is CodeOutcome.LOCKED_OUT
    assert keypad.outcome(code(0, BACK), door=BACK) is CodeOutcome.ACCEPTED
    keypad.clock.pass_ms(LOCKOUT_MS)
    assert keypad.outcome(WRONG) is CodeOutcome.WRONG
    keypad.clock.pass_ms(LOCKOUT_MS)
    assert keypad.outcome(code(0)) is CodeOutcome.LOCKED_OUT
    keypad.clock.pass_ms(LOCKOUT_MS)
    assert keypad.outcome(code(0)) is CodeOutcome.ACCEPTED
    for _ in range(FREE_TRIES):
        assert keypad.outcome(WRONG) is CodeOutcome.WRONG
    assert keypad.outcome(code(1)) is CodeOutcome.ACCEPTED


def test_a_lockout_has_an_end_however_often_somebody_guessed(keypad: Keypad) -> None:
    for _ in range(40):
        keypad.type(WRONG)
        keypad.clock.pass_ms(LOCKOUT_LONGEST_MS)
    assert keypad.outcome(code(0)) is CodeOutcome.ACCEPTED


def test_pulling_the_plug_ends_no_lockout(keypad: Keypad) -> None:
    for _ in range(FREE_TRIES + 1):
        keypad.type(WRONG)
    keypad.clock.pass_ms(LOCKOUT_MS - 1)
    after = keypad.restart()
    assert after.outcome(code(0)) is CodeOutcome.LOCKED_OUT
    after.clock.pass_ms(LOCKOUT_MS)
    assert after.outcome(code(0)) is CodeOutcome.ACCEPTED


def test_a_right_code_that_cannot_be_used_up_opens_nothing(
    keypad: Keypad, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(codes, "write_atomically", full)
        judged = keypad.type(code(0))
        assert (judged.outcome, judged.counter) == (CodeOutcome.NOT_KEPT, 0)
        for _ in range(FREE_TRIES + 1):
            keypad.type(WRONG)
        assert keypad.outcome(code(1)) is CodeOutcome.LOCKED_OUT
    keypad.clock.pass_ms(LOCKOUT_MS)
    assert keypad.outcome(code(0)) is CodeOutcome.WRONG


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"dorf-front": {}}', b'{"dorf-front": {"counter": "x"}}']
)
def test_without_knowing_what_is_used_up_none_opens(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "codes.json").write_bytes(content)
    keypad = Keypad(tmp_path)
    [trouble] = keypad.told
    assert isinstance(trouble, Trouble)
    assert (trouble.alarm, trouble.active) == ("codes_damaged", True)
    assert keypad.outcome(code(0)) is CodeOutcome.NOT_KEPT


def test_a_fault_while_judging_opens_nothing(
    keypad: Keypad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "find", lambda *_: 1 / 0)
    assert keypad.outcome(code(0)) is CodeOutcome.NOT_KEPT


def test_neither_file_nor_log_holds_a_code_or_a_secret(
    keypad: Keypad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keypad.type(code(0))
    keypad.type(WRONG)
    said = capsys.readouterr()
    told = (tmp_path / "codes.json").read_text() + said.out + said.err + repr(keypad.told)
    assert code(0) not in told
    assert door_secret(LOOKUP_KEY, FRONT).hex() not in told
