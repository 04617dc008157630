"""One door as a state machine: its scenarios, and an independent model of when a bolt moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.strategies import trying

from kokubus import messages as m
from kokubus.door import Door, DoorSpec, next_wake, react
from kokubus.door_state import CONTACT_LAG_MS, DENIAL_SHOWN_MS, EXIT_WINDOW_MS, TAPS_KEPT
from kokubus.downlinks import AccessDecided
from kokubus.happenings import (
    Act,
    Answered,
    BadgeSeen,
    Beep,
    Commanded,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    Happening,
    HoldBack,
    Light,
    Lock,
    Now,
    Pattern,
    PolicyChanged,
    Send,
    Ticked,
    Unlock,
)
from kokubus.messages import By, PolicyNumber, Side
from kokubus.rights import (
    BadgeRules,
    Content,
    DoorRules,
    Mode,
    ModeKind,
    Policy,
    Right,
    RightKind,
)

T0 = 1_790_000_000_000
SPEC = DoorSpec(id="front", pulse_ms=5_000, permitted_open_ms=30_000, deadline_ms=400)
PULSE_OVER = SPEC.pulse_ms + CONTACT_LAG_MS
MAX_AGE = 60_000
FREE = Mode(kind=ModeKind.FREE_PASSAGE, start=T0 + 20_000, end=T0 + 60_000)
LOCKDOWN = Mode(kind=ModeKind.LOCKDOWN, start=T0 + 40_000, end=T0 + 80_000)


def policy(*modes: Mode, door: str = "front") -> Policy:
    """Ada may enter at any time; nobody else may."""
    content = Content(
        doors={door: DoorRules(rooms=("hall",), modes=modes)},
        badges={"ada": BadgeRules(member="ada")},
        rights={"r": Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED)},
    )
    return Policy(content, PolicyNumber(1, 7), MAX_AGE)


class Play:
    """A door, and a clock that moves as far as it is told."""

    def __init__(self, spec: DoorSpec = SPEC, rules: Policy | None = None, **now: Any) -> None:
        self.door = Door(spec, policy=rules, open=False if spec.has_contact else None)
        self.mono = 0
        self.now = now
        self.all: list[Act] = []

    def __call__(self, happening: Happening, after: int = 0, **now: Any) -> list[Act]:
        self.mono += after
        moment = Now(at=T0 + self.mono, mono=self.mono, **(self.now | now))
        self.door, acts = react(self.door, happening, moment)
        self.all += acts
        return acts


def seen(tap: str = "t1", badge: str = "ada", side: Side = Side.IN) -> BadgeSeen:
    return BadgeSeen(door="front", tap=tap, lookup=badge, sealed="sealed", side=side)


def answer(tap: str = "t1", *, granted: bool = True, recorded: bool = True) -> Answered:
    reason = "booked" if granted else "no_booking"
    return Answered(
        AccessDecided(
            tap=tap, granted=granted, reason=reason, recorded=recorded, epoch="e", seq=1,
            policy=PolicyNumber(1, 8),
        )
    )  # fmt: skip


def command(**changes: Any) -> Commanded:
    told = {"door": "front", "command": "c1", "expires_at": T0 + 30_000, "fresh": True}
    return Commanded(**(told | changes))


def sent(acts: list[Act], cls: type | None = None) -> list[Any]:
    facts = [act.fact for act in acts if isinstance(act, Send)]
    return [fact for fact in facts if cls is None or isinstance(fact, cls)]


def kinds(acts: list[Act]) -> list[str]:
    return [fact.kind for fact in sent(acts)]


def drawn(acts: list[Act]) -> list[Act]:
    return [act for act in acts if isinstance(act, Unlock | HoldBack)]


def lit(acts: list[Act]) -> list[Pattern]:
    return [act.pattern for act in acts if isinstance(act, Light)]


# --- a tap -------------------------------------------------------------------------------


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


# --- passage or no entry -----------------------------------------------------------------


def granted(play: Play, tap: str = "t1", badge: str = "ada", **seen_as: Any) -> None:
    play(seen(tap, badge, **seen_as))
    play(answer(tap))


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


def test_the_door_pulled_again_while_the_bolt_is_drawn_is_not_forced() -> None:
    play = Play()
    granted(play)
    for happening in (ContactOpened("front"), ContactClosed("front"), ContactOpened("front")):
        play(happening, after=1_000)
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


# --- commands ----------------------------------------------------------------------------


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


# --- an independent model ----------------------------------------------------------------

POLICIES = (
    None,
    policy(),
    policy(FREE),
    policy(FREE, LOCKDOWN),
    policy(replace(LOCKDOWN, start=T0, end=None)),
    policy(FREE, door="back"),
)
JUMPS = (0, 0, 1, 50, 399, 400, 401, 1_000, 5_000, 5_500, 10_000, 30_000)
TAPS = ("t1", "t2", "t3", "t4", "t5", "t6")
BADGES = ("ada", "eve")
AT_THE_DOOR = ("opened", "closed", "exit", "tick")
scenes = st.lists(
    st.tuples(
        st.sampled_from(["tap", "tap", "answer", "answer", "command", "policy", *AT_THE_DOOR]),
        st.integers(0, 11),
        st.sampled_from(JUMPS),
        st.sampled_from(["fine", "fine", "fine", "unlinked", "untrusted", "stale"]),
    ),
    min_size=5,
    max_size=40,
)
specs = st.builds(
    DoorSpec, id=st.just("front"), exit_unlocks=st.booleans(), has_contact=st.booleans()
)


def happening_of(kind: str, number: int, now: Now) -> Happening:
    tap = TAPS[number % 6]
    return {
        "tap": lambda: seen(tap, BADGES[number % 2], Side.IN),
        "answer": lambda: answer(tap, granted=number < 8, recorded=number != 5),
        "command": lambda: command(
            command=f"c{number}", expires_at=now.at + number - 3, fresh=number != 8
        ),
        "policy": lambda: PolicyChanged(POLICIES[number % len(POLICIES)]),
        "opened": lambda: ContactOpened("front"),
        "closed": lambda: ContactClosed("front"),
        "exit": lambda: ExitPressed("front"),
        "tick": Ticked,
    }[kind]()


def now_of(mono: int, condition: str) -> Now:
    return Now(
        at=T0 + mono,
        mono=mono,
        linked=condition != "unlinked",
        trusted=condition != "untrusted",
        policy_age_ms=MAX_AGE if condition == "stale" else 0,
    )


class Witness:
    """Says on its own, from the happenings alone, which movements of the bolt were right."""

    def __init__(self, spec: DoorSpec) -> None:
        self.spec = spec
        self.rules: Policy | None = None
        self.waiting: dict[str, tuple[str, int]] = {}
        self.known: set[str] = set()

    def mode(self, kind: ModeKind, now: Now) -> bool:
        rules = self.rules and self.rules.content.doors.get("front")
        modes = [mode for mode in (rules.modes if rules else ()) if mode.kind is kind]
        if not now.trusted:
            return bool(modes) and kind is ModeKind.LOCKDOWN
        return any(mode.start <= now.at < (mode.end or now.at + 1) for mode in modes)

    def free(self, now: Now) -> bool:
        return (
            now.policy_age_ms < MAX_AGE
            and self.mode(ModeKind.FREE_PASSAGE, now)
            and not self.mode(ModeKind.LOCKDOWN, now)
        )

    def own_answer(self, badge: str, now: Now) -> bool:
        """What the door's own policy says: Ada at any time, everybody in free passage."""
        if self.rules is None or self.mode(ModeKind.LOCKDOWN, now):
            return False
        if "front" not in self.rules.content.doors:
            return False
        timely = now.policy_age_ms < MAX_AGE and now.trusted
        return self.free(now) or (badge == "ada" and timely)

    def expect(self, happening: Happening, now: Now) -> dict[str, bool]:
        """The taps that must be enforced now, and whether they are granted."""
        due = {tap: badge for tap, (badge, by) in self.waiting.items() if by <= now.mono}
        enforced = {tap: self.own_answer(badge, now) for tap, badge in due.items()}
        for tap in due:
            del self.waiting[tap]
        if isinstance(happening, BadgeSeen) and happening.tap not in self.known:
            self.known.add(happening.tap)
            if now.linked:
                self.waiting[happening.tap] = (happening.lookup, now.mono + self.spec.deadline_ms)
            else:
                enforced[happening.tap] = self.own_answer(happening.lookup, now)
        if isinstance(happening, Answered) and happening.decided.tap in self.waiting:
            badge, _ = self.waiting.pop(happening.decided.tap)
            recorded = happening.decided.recorded
            hub = happening.decided.granted
            enforced[happening.decided.tap] = hub if recorded else self.own_answer(badge, now)
        return enforced

    def carries_out(self, happening: Happening, now: Now) -> bool:
        if not isinstance(happening, Commanded):
            return False
        lockdown = self.mode(ModeKind.LOCKDOWN, now)
        return happening.fresh and now.trusted and now.at < happening.expires_at and not lockdown


@settings(trying, max_examples=120)
@given(specs, scenes)
def test_the_bolt_moves_for_nothing_but_a_reason(
    spec: DoorSpec, scene: list[tuple[str, int, int, str]]
) -> None:
    door, witness, mono = Door(spec), Witness(spec), 0
    everything: list[Act] = []
    for kind, number, jump, condition in [*scene, *[("tick", 0, 60_000, "fine")] * 2]:
        mono += jump
        now = now_of(mono, condition)
        happening = happening_of(kind, number, now)
        assert react(door, happening, now) == react(door, happening, now)
        was_free = witness.free(now)
        enforced = witness.expect(happening, now)
        carried_out = witness.carries_out(happening, now)
        if isinstance(happening, PolicyChanged):
            witness.rules = happening.policy
        door, acts = react(door, happening, now)

        said = {fact.tap: fact.granted for fact in sent(acts, m.Enforced)}
        assert said == enforced
        reasons = sum(enforced.values()) + carried_out
        reasons += isinstance(happening, ExitPressed) and spec.exit_unlocks
        unlocks = [act for act in acts if isinstance(act, Unlock)]
        assert len(unlocks) == (0 if was_free else reasons)
        assert door.free == witness.free(now)
        assert HoldBack() not in acts or was_free or door.free
        everything += acts
        _replays_do_nothing(door, happening, now)
    _each_grant_ended_once(spec, everything)


def _replays_do_nothing(door: Door, happening: Happening, now: Now) -> None:
    again = replace(happening, fresh=False) if isinstance(happening, Commanded) else happening
    if not isinstance(happening, ExitPressed):
        assert drawn(react(door, again, now)[1]) == []
    if isinstance(happening, BadgeSeen | Answered | ContactOpened | ContactClosed):
        assert react(door, happening, now) == (door, [])


def _each_grant_ended_once(spec: DoorSpec, acts: list[Act]) -> None:
    taps = Counter(fact.tap for fact in sent(acts, m.Enforced))
    assert set(taps.values()) <= {1}
    assert taps.keys() == {fact.id for fact in sent(acts, m.BadgeTapped)}
    ended = Counter(fact.tap for fact in sent(acts) if fact.kind in ("passage_seen", "no_entry"))
    del ended[None]
    granted = {fact.tap for fact in sent(acts, m.Enforced) if fact.granted}
    assert set(ended.values()) <= {1}
    if spec.has_contact:
        assert ended.keys() == granted
    else:
        assert ended.keys() <= granted
    ids = [fact.id for fact in sent(acts)]
    assert all(ids)
