"""Commands, modes and the light of a door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.play import (
    FREE,
    LOCKDOWN,
    MAX_AGE,
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
from kokubus.door import next_wake
from kokubus.door_state import DENIAL_SHOWN_MS
from kokubus.happenings import (
    ContactClosed,
    ContactOpened,
    Happening,
    HoldBack,
    Lock,
    Pattern,
    PolicyChanged,
    Ticked,
    Unlock,
)


def test_a_command_draws_the_bolt_once_and_tells_how_it_ended() -> None:
    play = Play()
    acts = play(command())
    assert drawn(acts) == [Unlock(SPEC.pulse_ms)]
    play(ContactOpened("front"), after=1_000)
    assert [fact.outcome for fact in sent(play.all, m.CommandDone)] == ["started", "opened"]
    assert [fact.command for fact in sent(play.all, m.PassageSeen)] == ["c1"]


def test_a_command_nobody_used_ends_with_no_entry() -> None:
    play = Play()
    play(command())
    play(Ticked(), after=PULSE_OVER)
    assert [fact.outcome for fact in sent(play.all, m.CommandDone)] == ["started", "no_entry"]
    assert [fact.command for fact in sent(play.all, m.NoEntry)] == ["c1"]


@pytest.mark.parametrize(
    ("told", "now", "outcome", "detail"),
    [
        ({"expires_at": T0}, {}, "expired", "command_expired"),
        ({"fresh": False}, {}, "repeated", "this command was carried out before"),
        ({"fresh": False, "expires_at": T0}, {}, "repeated", "this command was carried out before"),
        ({}, {"trusted": False}, "refused", "clock_untrusted"),
    ],
)
def test_a_command_that_is_not_carried_out_says_why(
    told: dict[str, Any], now: dict[str, Any], outcome: str, detail: str
) -> None:
    play = Play()
    acts = play(command(**told), **now)
    (done,) = sent(acts)
    assert (done.command, done.outcome, done.detail) == ("c1", outcome, detail)
    assert drawn(acts) == []


def test_no_command_opens_a_door_in_lockdown() -> None:
    play = Play(rules=policy(replace(LOCKDOWN, start=T0)))
    acts = play(command())
    assert (sent(acts)[0].detail, drawn(acts)) == ("lockdown", [])


# --- modes -------------------------------------------------------------------------------


def test_free_passage_starts_and_ends_on_the_doors_own_ticks() -> None:
    play = Play(rules=policy(FREE))
    assert drawn(play(Ticked(), after=19_999)) == []
    acts = play(Ticked(), after=1)
    assert (drawn(acts), lit(acts)) == ([HoldBack()], [Pattern.FREE])
    assert play(Ticked(), after=10) == []
    acts = play(Ticked(), after=39_990)
    assert (acts[0], lit(acts)) == (Lock(), [Pattern.IDLE])


def test_lockdown_ends_free_passage_at_once() -> None:
    play = Play(rules=policy(FREE, LOCKDOWN))
    assert drawn(play(Ticked(), after=39_999)) == [HoldBack()]
    assert Lock() in play(Ticked(), after=1)


@pytest.mark.parametrize(
    "ending",
    [
        (PolicyChanged(None), {}),
        (PolicyChanged(policy()), {}),
        (PolicyChanged(policy(FREE, door="back")), {}),
        (Ticked(), {"policy_age_ms": MAX_AGE}),
        (Ticked(), {"trusted": False}),
    ],
)
def test_what_ends_free_passage(ending: tuple[Happening, dict[str, Any]]) -> None:
    play = Play(rules=policy(FREE))
    play(Ticked(), after=30_000)
    happening, now = ending
    assert Lock() in play(happening, after=10, **now)
    assert not play.door.free


def test_an_untrusted_restart_frees_no_door() -> None:
    assert drawn(Play(rules=policy(FREE), trusted=False)(Ticked(), after=30_000)) == []


def test_in_free_passage_every_tap_and_every_opening_is_recorded() -> None:
    play = Play(rules=policy(FREE), linked=False)
    play(Ticked(), after=30_000)
    acts = play(seen(badge="eve"), after=10)
    assert [(fact.granted, fact.reason) for fact in sent(acts, m.Enforced)] == [
        (True, "free_passage")
    ]
    assert drawn(acts) == []
    assert kinds(play(ContactOpened("front"), after=10)) == ["contact_changed", "passage_seen"]
    play(ContactClosed("front"), after=10)
    assert kinds(play(ContactOpened("front"), after=10)) == ["contact_changed", "passage_seen"]


def test_a_door_propped_open_in_free_passage_is_held_only_afterwards() -> None:
    play = Play(rules=policy(replace(FREE, end=T0 + 200_000)))
    play(Ticked(), after=30_000)
    play(ContactOpened("front"), after=10)
    assert sent(play(Ticked(), after=60_000)) == []
    assert next_wake(play.door) is None
    assert kinds(play(Ticked(), after=120_000)) == ["door_held"]


def test_a_grant_as_free_passage_ends_still_draws_the_bolt() -> None:
    play = Play(rules=policy(FREE))
    play(seen(), after=59_700)
    acts = play(Ticked(), after=SPEC.deadline_ms)
    assert acts[0] == Lock()
    assert drawn(acts) == [Unlock(SPEC.pulse_ms)]


# --- the light ---------------------------------------------------------------------------


def test_an_answers_light_goes_out_again() -> None:
    play = Play()
    granted(play)
    assert lit(play(Ticked(), after=SPEC.pulse_ms)) == [Pattern.IDLE]
    play(seen("t2"))
    play(answer("t2", granted=False))
    assert lit(play(Ticked(), after=DENIAL_SHOWN_MS - 1)) == []
    assert lit(play(Ticked(), after=1)) == [Pattern.IDLE]


def test_the_door_names_the_instant_it_wants_to_be_woken() -> None:
    play = Play()
    assert next_wake(play.door) is None
    play(seen())
    play(answer(), after=10)
    assert next_wake(play.door) == 10 + SPEC.pulse_ms
    play(ContactOpened("front"), after=10)
    play(Ticked(), after=SPEC.pulse_ms)
    assert next_wake(play.door) == 20 + SPEC.permitted_open_ms


def test_the_light_says_lockdown_while_it_lasts() -> None:
    play = Play(rules=policy(LOCKDOWN))
    assert lit(play(Ticked(), after=40_000)) == [Pattern.LOCKDOWN]
    assert lit(play(Ticked(), after=1_000)) == []
    assert lit(play(Ticked(), after=40_000)) == [Pattern.IDLE]
