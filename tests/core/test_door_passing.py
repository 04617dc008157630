"""Passage or no entry, request-to-exit, forced and held: what the contact says."""

from __future__ import annotations

from dataclasses import replace

from tests.core.play import (
    LOCKDOWN,
    PULSE_OVER,
    SPEC,
    T0,
    Play,
    answer,
    command,
    drawn,
    granted,
    kinds,
    lit,
    policy,
    seen,
    sent,
)

from kokubus import messages as m
from kokubus.door import Door
from kokubus.door_state import EXIT_WINDOW_MS
from kokubus.happenings import (
    ContactClosed,
    ContactOpened,
    ExitPressed,
    Light,
    Lock,
    Pattern,
    Ticked,
    Unlock,
)
from kokubus.messages import Side


def test_a_granted_tap_then_the_door_opens() -> None:
    play = Play()
    granted(play, side=Side.OUT)
    acts = play(ContactOpened("front"), after=2_000)
    assert kinds(acts) == ["contact_changed", "passage_seen"]
    passage = sent(acts)[1]
    assert (passage.tap, passage.side, passage.exit_requested) == ("t1", Side.OUT, False)
    play(ContactClosed("front"), after=1_000)
    assert kinds(play(Ticked(), after=60_000)) == []


def test_a_grant_nobody_uses_is_one_no_entry() -> None:
    play = Play()
    granted(play)
    assert sent(play(Ticked(), after=PULSE_OVER - 1)) == []
    assert [fact.tap for fact in sent(play(Ticked(), after=1))] == ["t1"]
    assert kinds(play.all).count("no_entry") == 1
    assert sent(play(Ticked(), after=60_000)) == []


def test_a_leaf_pulled_as_the_pulse_ends_is_no_break_in() -> None:
    play = Play()
    granted(play)
    acts = play(ContactOpened("front"), after=SPEC.pulse_ms + 50)
    assert kinds(acts) == ["contact_changed", "passage_seen"]


def test_two_people_granted_before_the_door_opens_are_two_passages() -> None:
    play = Play()
    granted(play, "t1", "ada")
    granted(play, "t2", "ben")
    acts = play(ContactOpened("front"), after=1_000)
    assert {fact.tap for fact in sent(acts, m.PassageSeen)} == {"t1", "t2"}


def test_one_person_who_taps_twice_before_opening_enters_once() -> None:
    play = Play()
    granted(play, "t1", "ada")
    granted(play, "t2", "ada")
    play(ContactOpened("front"), after=1_000)
    assert [fact.tap for fact in sent(play.all, m.PassageSeen)] == ["t2"]
    assert [fact.tap for fact in sent(play.all, m.NoEntry)] == ["t1"]


def test_through_a_door_that_stands_open_one_passes_at_once() -> None:
    play = Play()
    granted(play)
    play(ContactOpened("front"), after=100)
    play(seen("t2", "ben"), after=100)
    acts = play(answer("t2"))
    assert kinds(acts) == ["enforced", "passage_seen"]
    assert kinds(play(Ticked(), after=PULSE_OVER)) == []


def test_a_door_without_a_contact_says_nothing_about_passing() -> None:
    play = Play(replace(SPEC, has_contact=False))
    granted(play)
    play(command())
    play(Ticked(), after=60_000)
    assert kinds(play.all) == ["badge_tapped", "enforced", "command_done", "command_done"]
    last = sent(play.all)[-1]
    assert (last.outcome, last.detail) == ("opened", "this door has no contact")


def test_the_door_pulled_again_before_the_bolt_has_fallen_is_not_forced() -> None:
    play = Play()
    granted(play)
    for happening in (ContactOpened("front"), ContactClosed("front"), ContactOpened("front")):
        play(happening, after=300)
    assert "door_forced" not in kinds(play.all)
    assert kinds(play.all).count("passage_seen") == 1
    play(ContactClosed("front"), after=1_000)
    assert kinds(play(ContactOpened("front"), after=PULSE_OVER)) == [
        "contact_changed",
        "door_forced",
    ]


# --- the contact -------------------------------------------------------------------------


def test_request_to_exit_then_open_is_a_passage_out_and_no_alarm() -> None:
    play = Play()
    assert kinds(play(ExitPressed("front"))) == ["exit_requested"]
    acts = play(ContactOpened("front"), after=EXIT_WINDOW_MS - 1)
    assert kinds(acts) == ["contact_changed", "passage_seen"]
    passage = sent(acts)[1]
    assert (passage.side, passage.exit_requested, passage.tap) == (Side.OUT, True, None)


def test_a_request_to_exit_has_its_time_and_leaves_no_event_behind() -> None:
    play = Play()
    play(ExitPressed("front"))
    assert sent(play(Ticked(), after=EXIT_WINDOW_MS)) == []
    assert "door_forced" in kinds(play(ContactOpened("front")))


def test_an_exit_that_another_opening_did_not_need_keeps_its_time() -> None:
    play = Play()
    play(ExitPressed("front"))
    granted(play)
    play(ContactOpened("front"), after=1_000)
    play(ContactClosed("front"), after=500)
    play(ContactOpened("front"), after=EXIT_WINDOW_MS - 2_000)
    passages = sent(play.all, m.PassageSeen)
    assert [(fact.tap, fact.exit_requested) for fact in passages] == [("t1", False), (None, True)]
    assert "door_forced" not in kinds(play.all)


def test_pressing_twice_is_one_exit() -> None:
    play = Play()
    play(ExitPressed("front"))
    play(ExitPressed("front"), after=100)
    assert kinds(play(ContactOpened("front"), after=100)) == ["contact_changed", "passage_seen"]


def test_request_to_exit_draws_only_a_lock_that_needs_it() -> None:
    assert drawn(Play()(ExitPressed("front"))) == []
    needs = Play(replace(SPEC, exit_unlocks=True), policy(replace(LOCKDOWN, start=T0)))
    assert drawn(needs(ExitPressed("front"), trusted=False)) == [Unlock(SPEC.pulse_ms)]


def test_opened_by_nobody_is_forced_once() -> None:
    play = Play()
    assert kinds(play(ContactOpened("front"))) == ["contact_changed", "door_forced"]
    assert play(ContactOpened("front"), after=10) == []
    assert kinds(play.all).count("door_forced") == 1


def test_a_door_found_open_or_closed_at_the_start_is_news_but_no_break_in() -> None:
    play = Play()
    play.door = Door(SPEC)
    assert kinds(play(ContactOpened("front"))) == ["contact_changed"]
    assert kinds(play(Ticked(), after=SPEC.permitted_open_ms)) == ["door_held"]
    play.door = Door(SPEC)
    assert kinds(play(ContactClosed("front"))) == ["contact_changed"]


def test_overstaying_is_one_held_and_one_held_clear() -> None:
    play = Play()
    granted(play)
    play(ContactOpened("front"), after=1_000)
    opened = T0 + play.mono
    assert sent(play(Ticked(), after=SPEC.permitted_open_ms - 1)) == []
    acts = play(Ticked(), after=1)
    assert [(fact.kind, fact.since) for fact in sent(acts)] == [("door_held", opened)]
    assert lit(acts)[0] is Pattern.HELD
    assert sent(play(Ticked(), after=60_000)) == []
    acts = play(ContactClosed("front"), after=1)
    assert kinds(acts) == ["contact_changed", "door_held_clear"]
    assert lit(acts) == [Pattern.IDLE]
    assert play(ContactClosed("front"), after=1) == []


def test_without_a_sign_of_exits_an_unannounced_opening_is_a_passage_not_force() -> None:
    play = Play(replace(SPEC, reports_exit=False))
    play(ContactClosed("front"))
    acts = play(ContactOpened("front"), after=60_000)
    assert kinds(acts) == ["contact_changed", "passage_seen"]
    assert sent(acts)[1].side is None


def test_the_door_locks_behind_who_passed() -> None:
    play = Play()
    granted(play)
    play(ContactOpened("front"), after=1_000)
    acts = play(ContactClosed("front"), after=1_000)
    assert acts[-2:] == [Lock(), Light(Pattern.IDLE)]
    assert kinds(play(ContactOpened("front"), after=1_000)) == ["contact_changed", "door_forced"]


def test_it_stays_unlocked_for_the_next_who_was_granted() -> None:
    play = Play()
    granted(play)
    play(ContactOpened("front"), after=500)
    play(ContactClosed("front"), after=500)
    granted(play, "t2", badge="bo")
    play(ContactOpened("front"), after=500)
    granted(play, "t3", badge="cy")
    assert kinds(play.all).count("passage_seen") == 3
