"""Who closes the door behind them has locked it, unless it is drawn for somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.play import FREE, PULSE_OVER, SPEC, Play, answer, command, kinds, policy, seen

from kokubus.door_state import CONTACT_LAG_MS
from kokubus.happenings import (
    Act,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    Lock,
    PolicyChanged,
    Ticked,
)

OPENED, CLOSED, EXIT = ContactOpened("front"), ContactClosed("front"), ExitPressed("front")
EXIT_UNLOCKS = replace(SPEC, exit_unlocks=True)


def let_in(play: Play, tap: str = "t1", badge: str = "ada") -> None:
    play(seen(tap, badge), after=100)
    play(answer(tap), after=10)


def locks(acts: list[Act]) -> int:
    return len([act for act in acts if isinstance(act, Lock)])


@pytest.mark.parametrize("how", ["tap", "command"])
def test_the_bolt_is_let_go_with_the_leaf(how: str) -> None:
    play = Play()
    play(command()) if how == "command" else let_in(play)
    assert locks(play(OPENED, after=900)) == 0
    assert locks(play(CLOSED, after=900)) == 1
    assert locks(play(Ticked(), after=PULSE_OVER)) == 0


def test_a_tap_that_nobody_has_answered_keeps_no_bolt_drawn() -> None:
    play = Play()
    let_in(play)
    play(OPENED, after=500)
    play(seen("t2", "bo"), after=10)
    assert locks(play(CLOSED, after=100)) == 1


def test_somebody_granted_after_the_leaf_was_opened_still_gets_in() -> None:
    play = Play()
    let_in(play)
    play(OPENED, after=500)
    play(CLOSED, after=500)
    let_in(play, "t2", "bo")
    assert locks(play(Ticked(), after=100)) == 0
    assert kinds(play(OPENED, after=100)) == ["contact_changed", "passage_seen"]


def test_whoever_pressed_to_leave_is_not_locked_in_by_whoever_enters() -> None:
    """At a lock that only the button opens from inside."""
    play = Play(EXIT_UNLOCKS)
    let_in(play)
    play(EXIT, after=100)
    play(OPENED, after=100)
    assert locks(play(CLOSED, after=500)) == 0
    assert kinds(play(OPENED, after=500)) == ["contact_changed", "passage_seen"]
    assert locks(play(CLOSED, after=500)) == 1


def test_an_exit_by_the_handle_needs_no_bolt() -> None:
    play = Play()
    let_in(play)
    play(EXIT, after=100)
    play(OPENED, after=100)
    assert locks(play(CLOSED, after=500)) == 1


def test_an_exit_that_drew_the_bolt_locks_behind_itself() -> None:
    play = Play(EXIT_UNLOCKS)
    play(EXIT)
    play(OPENED, after=100)
    assert locks(play(CLOSED, after=500)) == 1


def test_free_passage_goes_on() -> None:
    play = Play(rules=policy(FREE))
    play(Ticked(), after=21_000)
    assert play.door.free
    play(OPENED, after=100)
    assert locks(play(CLOSED, after=500)) == 0


def test_what_was_not_drawn_is_not_let_go() -> None:
    play = Play()
    play(EXIT)
    play(OPENED, after=100)
    assert locks(play(CLOSED, after=500)) == 0
    let_in(play)
    play(OPENED, after=500)
    assert locks(play(CLOSED, after=PULSE_OVER)) == 0


def test_a_leaf_that_bounces_is_no_force() -> None:
    play = Play()
    let_in(play)
    play(OPENED, after=500)
    play(CLOSED, after=500)
    assert kinds(play(OPENED, after=CONTACT_LAG_MS - 1)) == ["contact_changed"]
    play(CLOSED, after=10)
    assert "door_forced" in kinds(play(OPENED, after=CONTACT_LAG_MS))


def test_a_policy_that_ends_meanwhile_changes_nothing() -> None:
    play = Play(rules=policy())
    let_in(play)
    play(OPENED, after=500)
    play(PolicyChanged(None), after=100)
    assert locks(play(CLOSED, after=500)) == 1
