"""Going out before a PIR, and a box that was opened."""

from __future__ import annotations

from dataclasses import replace

from tests.core.play import SPEC, Play, drawn, kinds, sent

from kokubus import messages as m
from kokubus.door_state import EXIT_WINDOW_MS
from kokubus.happenings import (
    ContactClosed,
    ContactOpened,
    ExitPressed,
    ExitReleased,
    TamperChanged,
    Ticked,
    Unlock,
)

MOVES, STILL = ExitPressed("front", lasting=True), ExitReleased("front")


def lingered(play: Play, ms: int) -> None:
    for _ in range(ms // 1_000):
        play(Ticked(), after=1_000)


def test_whoever_lingers_before_a_pir_may_still_leave() -> None:
    play = Play()
    assert kinds(play(MOVES)) == ["exit_requested"]
    lingered(play, 5 * EXIT_WINDOW_MS)
    assert kinds(play(ContactOpened("front"), after=100)) == ["contact_changed", "passage_seen"]
    assert kinds(play.all).count("exit_requested") == 1


def test_the_next_one_may_leave_too_while_the_pir_sees_somebody() -> None:
    play = Play()
    play(MOVES)
    for _ in range(3):
        play(ContactOpened("front"), after=2_000)
        play(ContactClosed("front"), after=2_000)
    assert len(sent(play.all, m.PassageSeen)) == 3
    assert sent(play.all, m.DoorForced) == []


def test_when_nobody_moves_any_more_the_time_to_leave_runs_out() -> None:
    play = Play()
    play(MOVES)
    lingered(play, 30_000)
    play(STILL)
    play(Ticked(), after=EXIT_WINDOW_MS)
    assert kinds(play(ContactOpened("front"))) == ["contact_changed", "door_forced"]


def test_once_out_and_closed_behind_nobody_may_open() -> None:
    play = Play()
    play(MOVES)
    play(ContactOpened("front"), after=1_000)
    play(STILL, after=1_000)
    play(ContactClosed("front"), after=1_000)
    assert "door_forced" in kinds(play(ContactOpened("front"), after=1_000))


def test_a_lock_that_must_be_drawn_to_leave_stays_drawn_for_who_lingers() -> None:
    play = Play(replace(SPEC, exit_unlocks=True))
    assert drawn(play(MOVES)) == [Unlock(SPEC.pulse_ms)]
    lingered(play, 20_000)
    assert len(drawn(play.all)) >= 3
    play(STILL)
    before = len(drawn(play.all))
    lingered(play, 20_000)
    assert len(drawn(play.all)) == before


def test_an_opened_box_is_one_alarm_until_it_is_closed() -> None:
    play = Play()
    for tampered in (False, False, True, True, False):
        play(TamperChanged("front", tampered=tampered))
    alarms = sent(play.all, m.DeviceAlarmed)
    assert [(a.alarm, a.active, a.door) for a in alarms] == [
        ("tamper", False, "front"),
        ("tamper", True, "front"),
        ("tamper", False, "front"),
    ]
