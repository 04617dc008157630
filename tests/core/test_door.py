"""One door as a state machine: a tap is asked, answered or decided here, and enforced once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.play import (
    MAX_AGE,
    SPEC,
    Play,
    answer,
    command,
    drawn,
    kinds,
    lit,
    policy,
    seen,
    sent,
)

from kokubus import messages as m
from kokubus.door import next_wake
from kokubus.door_state import TAPS_KEPT
from kokubus.happenings import (
    BadgeMisread,
    Beep,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    Pattern,
    ReaderChanged,
    Ticked,
    Unlock,
)
from kokubus.messages import By, PolicyNumber
from kokubus.rights import Policy


def test_a_tap_asks_the_hub_and_waits() -> None:
    play = Play(rules=policy())
    acts = play(seen())
    assert [fact.id for fact in sent(acts, m.BadgeTapped)] == ["t1"]
    assert (drawn(acts), lit(acts)) == ([], [Pattern.WAITING])
    assert next_wake(play.door) == SPEC.deadline_ms


def test_the_hubs_grant_draws_the_bolt_and_says_so() -> None:
    play = Play()
    play(seen())
    acts = play(answer(), after=SPEC.deadline_ms - 1)
    assert drawn(acts) == [Unlock(SPEC.pulse_ms)]
    assert [act for act in acts if isinstance(act, Beep)] == [Beep(Pattern.GRANTED)]
    (enforced,) = sent(acts)
    assert (enforced.tap, enforced.by, enforced.granted, enforced.reason) == (
        "t1",
        By.HUB,
        True,
        "booked",
    )
    assert enforced.policy == PolicyNumber(1, 8)


def test_the_hubs_denial_stands_even_where_the_doors_own_policy_would_grant() -> None:
    play = Play(rules=policy())
    play(seen())
    acts = play(answer(granted=False), after=10)
    assert (drawn(acts), lit(acts)) == ([], [Pattern.DENIED])
    assert sent(acts, m.Enforced)[0].granted is False
    assert drawn(play(Ticked(), after=1_000)) == []


@pytest.mark.parametrize("badge", ["ada", "eve"])
def test_after_the_deadline_the_door_decides_by_its_own_policy(badge: str) -> None:
    play = Play(rules=policy())
    play(seen(badge=badge))
    assert sent(play(Ticked(), after=SPEC.deadline_ms - 1)) == []
    acts = play(Ticked(), after=1, policy_age_ms=5)
    (enforced,) = sent(acts)
    assert (enforced.by, enforced.granted) == (By.EDGE, badge == "ada")
    assert enforced.reason == ("entitled" if badge == "ada" else "badge_unknown")
    assert (enforced.policy, enforced.policy_age_ms) == (PolicyNumber(1, 7), 5)
    assert len(drawn(acts)) == (badge == "ada")


@pytest.mark.parametrize("granted", [True, False])
def test_a_late_answer_is_ignored_also_one_that_comes_with_the_deadline(granted: bool) -> None:
    play = Play(rules=policy())
    play(seen(badge="ada" if not granted else "eve"))
    acts = play(answer(granted=granted), after=SPEC.deadline_ms)
    (enforced,) = sent(acts)
    assert (enforced.by, enforced.granted) == (By.EDGE, not granted)
    assert play(answer(granted=granted), after=200) == []


def test_without_a_policy_a_silent_hub_is_a_denial() -> None:
    play = Play()
    play(seen())
    (enforced,) = sent(play(Ticked(), after=400))
    assert (enforced.granted, enforced.reason, enforced.policy) == (False, "hub_unreachable", None)


def test_a_stale_policy_denies() -> None:
    play = Play(rules=policy(), policy_age_ms=MAX_AGE)
    play(seen())
    assert sent(play(Ticked(), after=400))[0].reason == "policy_stale"


def test_without_a_link_the_door_decides_at_once() -> None:
    play = Play(rules=policy(), linked=False)
    acts = play(seen())
    assert kinds(acts) == ["badge_tapped", "enforced"]
    assert len(drawn(acts)) == 1
    assert play(answer(granted=False), after=1) == []


@pytest.mark.parametrize(("rules", "reason"), [(policy(), "entitled"), (None, "hub_cannot_record")])
def test_a_hub_that_cannot_record_decides_nothing(rules: Policy | None, reason: str) -> None:
    play = Play(rules=rules)
    play(seen())
    acts = play(answer(recorded=False), after=5)
    (enforced,) = sent(acts)
    assert (enforced.by, enforced.reason) == (By.EDGE, reason)
    assert len(drawn(acts)) == (rules is not None)


def test_two_taps_in_the_same_millisecond_are_two() -> None:
    play = Play()
    play(seen("t1", "ada"))
    play(seen("t2", "ben"))
    play(answer("t2"), after=5)
    play(answer("t1", granted=False))
    assert {(fact.tap, fact.granted) for fact in sent(play.all, m.Enforced)} == {
        ("t1", False),
        ("t2", True),
    }


def test_an_answer_to_a_tap_this_door_never_saw_does_nothing() -> None:
    play = Play(rules=policy())
    play(seen())
    assert play(answer("t9")) == []


@pytest.mark.parametrize("linked", [True, False])
def test_a_tap_is_taken_once(linked: bool) -> None:
    play = Play(rules=policy(), linked=linked)
    play(seen())
    play(answer(), after=10)
    assert play(seen(), after=10) == []
    play(Ticked(), after=20_000)
    assert play(seen(), after=10) == []
    assert play(answer(), after=10) == []
    assert kinds(play.all).count("enforced") == 1
    assert len(drawn(play.all)) == 1


def test_what_the_door_remembers_of_its_taps_is_bounded() -> None:
    play = Play(linked=False)
    for number in range(2 * TAPS_KEPT):
        play(seen(f"t{number}"))
    assert len(play.door.taps) == TAPS_KEPT
    assert play(seen(f"t{2 * TAPS_KEPT - 1}")) == []


def test_what_concerns_another_door_does_nothing() -> None:
    play = Play(rules=policy())
    before = play.door
    for happening in (
        replace(seen(), door="back"),
        replace(command(), door="back"),
        ContactOpened("back"),
        ContactClosed("back"),
        ExitPressed("back"),
    ):
        assert play(happening) == []
    assert play.door == before


def test_the_facts_of_two_doors_that_react_to_one_tick_have_different_ids() -> None:
    front, back = Play(), Play(replace(SPEC, id="back"))
    for play in (front, back):
        play(replace(seen(f"t-{play.door.spec.id}"), door=play.door.spec.id))
        play(Ticked(), after=400)
    ids = [fact.id for play in (front, back) for fact in sent(play.all)]
    assert all(ids)
    assert len(set(ids)) == len(ids) == 4


def test_an_unknown_happening_is_a_mistake_of_ours() -> None:
    nonsense: Any = object()
    with pytest.raises(TypeError, match="cannot react to object"):
        Play()(nonsense)


def test_what_could_not_be_read_or_judged_asks_to_try_again() -> None:
    play = Play(linked=False)
    assert lit(play(BadgeMisread("front"))) == [Pattern.TRY_AGAIN]
    acts = play(seen(), after=5_000)
    assert sent(acts, m.Enforced)[0].reason == "hub_unreachable"
    assert lit(acts)[-1] == Pattern.TRY_AGAIN


def test_a_door_whose_readers_are_dead_shows_it_until_one_works() -> None:
    play = Play()
    assert lit(play(ReaderChanged("front", works=True))) == []
    assert lit(play(ReaderChanged("front", works=False))) == [Pattern.OUT_OF_ORDER]
    assert lit(play(ReaderChanged("front", works=False))) == []
    assert lit(play(ReaderChanged("front", works=True))) == [Pattern.IDLE]
