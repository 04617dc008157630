"""What is typed at a keypad, and how guessing is slowed down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.play import LOCKDOWN, SPEC, Play, answer, drawn, kinds, lit, policy, seen, sent

from kokubus import attempts as a
from kokubus import messages as m
from kokubus.attempts import Attempts
from kokubus.credential import NUMBER, PIN, Credential
from kokubus.door import anew, next_wake
from kokubus.enrolment import NotEnrollableError, enrollable
from kokubus.happenings import (
    CodeEntered,
    CodeJudged,
    ContactOpened,
    Judge,
    Light,
    Pattern,
    Ticked,
)
from kokubus.keypad import KEY_GAP_MS, MAX_DIGITS, MORE_MS, Typing, paused, press


def typed(keys: str, gap: int = 300) -> list[str]:
    """The numbers that come out of keys pressed ``gap`` ms apart."""
    typing, numbers = Typing(), []
    for at, key in enumerate(keys, 1):
        typing, number = press(typing, key, at * gap)
        numbers += [] if number is None else [number]
    return numbers


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ("4711#", ["4711"]),
        ("47*0815#", ["0815"]),
        ("#", []),
        ("*#", []),
        ("0815#4711#", ["0815", "4711"]),
        ("4711", []),
        ("1" * 40 + "#", ["1" * MAX_DIGITS]),
    ],
)
def test_a_number_ends_with_a_hash_and_a_star_clears(keys: str, numbers: list[str]) -> None:
    assert typed(keys) == numbers


def test_a_pause_between_keys_begins_anew() -> None:
    typing, _ = press(Typing(), "4", 0)
    typing, _ = press(typing, "7", KEY_GAP_MS - 1)
    assert typing.digits == "47"
    typing, _ = press(typing, "1", 2 * KEY_GAP_MS - 1)
    assert typing.digits == "1"
    assert paused(typing, None, 3 * KEY_GAP_MS)[0].digits == ""


def test_a_pin_of_agreed_length_needs_no_hash_and_leaves_room_for_a_code() -> None:
    typing = Typing("471108", 0)
    assert paused(typing, 6, MORE_MS - 1) == (typing, None)
    assert paused(typing, 6, MORE_MS) == (Typing(), "471108")
    assert paused(Typing("47110812", 0), 6, MORE_MS) == (Typing(), "47110812")
    assert paused(typing, None, MORE_MS) == (typing, None)


@given(st.text("0123456789*#"))
def test_what_is_typed_is_never_shown(keys: str) -> None:
    typing = Typing()
    for key in keys:
        typing, _ = press(typing, key, 0)
    assert repr(typing) == "Typing(at=0)"
    assert "12345678" not in repr(CodeEntered(door="front", digits="12345678"))


def test_too_many_wrong_numbers_lock_the_keypad_out_for_longer_each_time() -> None:
    attempts, now = Attempts(), 0
    lasted = []
    for _ in range(10):
        while attempts.until is None:
            now += 1_000
            attempts = a.refused(attempts, now)
        lasted.append((attempts.until - now) // 60_000)
        now = attempts.until
        assert a.ended(attempts, now)
        attempts = a.released(attempts)
    assert lasted == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    now += a.QUIET_MS
    for _ in range(a.ALLOWED):
        attempts = a.refused(attempts, now)
    assert attempts.until == now + a.FIRST_MS


@given(st.lists(st.integers(0, a.WINDOW_MS), min_size=1, max_size=200))
def test_nobody_guesses_more_often_than_allowed(pauses: list[int]) -> None:
    attempts, now, heard = Attempts(), 0, []
    for pause in pauses:
        now += pause
        if a.ended(attempts, now):
            attempts = a.released(attempts)
        if attempts.until is None:
            heard.append(now)
            attempts = a.refused(attempts, now)
    for first, sixth in zip(heard, heard[a.ALLOWED :], strict=False):
        assert sixth - first >= a.FIRST_MS


def guess(play: Play, number: int, after: int = 1_000, badge: str = "nobody") -> list[object]:
    return play(seen(f"g{number}", badge, typed=True), after=after)


def locked_out(play: Play) -> None:
    for number in range(a.ALLOWED):
        guess(play, number)
        assert (play.door.attempts.until is not None) == (number == a.ALLOWED - 1)


def test_wrong_pins_raise_one_alarm_and_the_keypad_then_says_so() -> None:
    play = Play(rules=policy(), linked=False)
    locked_out(play)
    alarms = sent(play.all, m.DeviceAlarmed)
    assert [(one.alarm, one.active, one.door) for one in alarms] == [
        ("keypad_locked", True, "front")
    ]
    assert next_wake(play.door) is not None
    acts = guess(play, 99, badge="ada")
    assert (lit(acts), kinds(acts)) == ([Pattern.LOCKED_OUT], [])  # type: ignore[arg-type]
    acts = play(CodeEntered(door="front", digits="12345678"), after=1_000)
    assert (lit(acts), kinds(acts)) == ([Pattern.LOCKED_OUT], ["code_tried"])


def test_a_badge_opens_while_the_keypad_is_locked_out() -> None:
    play = Play(rules=policy(), linked=False)
    locked_out(play)
    assert sent(play(seen("t9")), m.Enforced)[0].granted


def test_a_lockout_ends_by_itself_with_its_alarm() -> None:
    play = Play(rules=policy(), linked=False)
    locked_out(play)
    over = play(Ticked(), after=a.FIRST_MS)
    assert [one.active for one in sent(over, m.DeviceAlarmed)] == [False]
    assert sent(guess(play, 99, badge="ada"), m.Enforced)[0].granted  # type: ignore[arg-type]


def test_the_hubs_word_that_a_pin_is_unknown_counts_as_well() -> None:
    play = Play()
    for number in range(a.ALLOWED):
        play(seen(f"g{number}", typed=True), after=1_000)
        play(answer(f"g{number}", granted=False, reason="badge_unknown"))
    assert [one.alarm for one in sent(play.all, m.DeviceAlarmed)] == ["keypad_locked"]


def test_a_member_who_is_early_and_an_unknown_badge_lock_nobody_out() -> None:
    play = Play()
    for number in range(2 * a.ALLOWED):
        play(seen(f"g{number}", typed=True), after=1_000)
        play(answer(f"g{number}", granted=False))
        play(seen(f"b{number}"), after=1_000)
        play(answer(f"b{number}", granted=False, reason="badge_unknown"))
    assert sent(play.all, m.DeviceAlarmed) == []


CODE = CodeEntered(door="front", digits="12345678")


def judged(outcome: m.CodeOutcome, counter: int | None = None) -> CodeJudged:
    return CodeJudged(door="front", side=m.Side.IN, outcome=outcome, counter=counter)


def test_a_code_is_handed_to_be_judged_and_opens_nothing_by_itself() -> None:
    play = Play(rules=policy())
    assert play(CODE) == [Light(Pattern.WAITING), Judge(CODE, 0)]


def test_a_code_that_was_accepted_draws_the_bolt_once_and_whoever_passes_is_let_in() -> None:
    play = Play(rules=policy(), linked=False, trusted=False)
    acts = play(judged(m.CodeOutcome.ACCEPTED, 7))
    assert len(drawn(acts)) == 1
    [tried] = sent(acts)
    assert (tried.kind, tried.outcome, tried.counter) == ("code_tried", "accepted", 7)
    assert kinds(play(ContactOpened("front"), after=1_000)) == ["contact_changed", "passage_seen"]


@pytest.mark.parametrize(
    "outcome", [one for one in m.CodeOutcome if one is not m.CodeOutcome.ACCEPTED]
)
def test_any_other_outcome_moves_no_bolt_and_is_recorded(outcome: m.CodeOutcome) -> None:
    play = Play(rules=policy())
    acts = play(judged(outcome))
    assert drawn(acts) == []
    assert [fact.outcome for fact in sent(acts)] == [outcome]
    shown = Pattern.LOCKED_OUT if outcome is m.CodeOutcome.LOCKED_OUT else Pattern.DENIED
    assert lit(acts) == [shown]


def test_a_lockdown_is_stronger_than_a_code() -> None:
    play = Play(rules=policy(LOCKDOWN))
    acts = play(judged(m.CodeOutcome.ACCEPTED, 3), after=50_000)
    assert drawn(acts) == []
    assert [(one.outcome, one.counter) for one in sent(acts)] == [("lockdown", 3)]


def test_wrong_codes_count_like_wrong_pins() -> None:
    play = Play(rules=policy())
    for _ in range(a.ALLOWED):
        play(judged(m.CodeOutcome.WRONG), after=1_000)
    assert [one.alarm for one in sent(play.all, m.DeviceAlarmed)] == ["keypad_locked"]
    acts = play(CODE)
    assert not any(isinstance(act, Judge) for act in acts)
    assert [one.outcome for one in sent(acts)] == ["locked_out"]


def test_a_lockout_from_before_a_restart_is_cleared_once() -> None:
    play = Play(replace(SPEC, has_keypad=True))
    play(Ticked())
    play(Ticked(), after=1_000)
    alarms = sent(play.all, m.DeviceAlarmed)
    assert [(one.alarm, one.active) for one in alarms] == [("keypad_locked", False)]


def test_a_door_that_begins_anew_keeps_its_lockout() -> None:
    play = Play(rules=policy(), linked=False)
    locked_out(play)
    assert anew(play.door).attempts == play.door.attempts


@pytest.mark.parametrize("pin", ["471108", "4711082", "4711080815", "112358"])
def test_a_pin_can_be_given(pin: str) -> None:
    enrollable(Credential(PIN, pin))


@pytest.mark.parametrize(
    "pin",
    ["", "4711", "47110", "47110815", "4711081547110", "471 08", "47110A", "111111", "121212",
     "123456", "987654", "890123"],
)  # fmt: skip
def test_what_is_no_pin_or_guessed_at_once_cannot(pin: str) -> None:
    with pytest.raises(NotEnrollableError) as refused:
        enrollable(Credential(PIN, pin))
    assert not pin or pin not in str(refused.value)


@pytest.mark.parametrize(("number", "fits"), [("034A5B", True), ("1E034A5B", True), ("1E", False)])
def test_a_readers_number_can_be_given(number: str, *, fits: bool) -> None:
    if fits:
        enrollable(Credential(NUMBER, number))
    else:
        with pytest.raises(NotEnrollableError):
            enrollable(Credential(NUMBER, number))
