"""What holds of the access decision for any policy and any question."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.asking import ORDER, at
from tests.core.strategies import trying

from kokubus.access import decide
from kokubus.decision import Reason, Tap
from kokubus.messages import PolicyNumber
from kokubus.policy import content_of, document_of
from kokubus.rights import Content, DoorRules, Policy, Right, RightKind


@trying
@given(some.policies)
def test_the_steps_are_complete_and_end_with_the_rule_that_decided(policy: Policy) -> None:
    for state, tap, now in some.questions(60, seed=1):
        decision = decide(policy, state, tap, now)
        assert decision.reason is not Reason.RULE_ERROR
        assert tuple(step.rule for step in decision.steps) == ORDER[: len(decision.steps)]
        assert {step.finding for step in decision.steps[:-1]} <= {"passed"}
        assert decision.steps[-1].finding == ("granted" if decision.granted else "denied")
        assert decision.policy == policy.number


def _covered(content: Content, right: Right, door: DoorRules) -> set[int]:
    """The slow and obvious model: every millisecond of the town in which a right holds."""
    time = set(range(-20, some.END + 40))
    bounds = []
    if right.windows is not None:
        bounds.append(right.windows)
    if right.schedule is not None:
        bounds.append(content.schedules.get(right.schedule, ()))
    if not bounds:
        return time if right.kind is RightKind.ENTITLED else set()
    for windows in bounds:
        time &= {t for start, end in windows for t in range(start, end)}
    if right.exact or right.kind is RightKind.ENTITLED:
        return time
    return {t + d for t in time for d in range(-door.lead_ms, door.grace_ms + 1)}


def _holding(content: Content, tap: Tap, instant: int) -> dict[str, Right]:
    """The rights that hold at this door for whoever this badge belongs to."""
    badge, door = content.badges.get(tap.badge), content.doors.get(tap.door)
    return {
        key: right
        for key, right in content.rights.items()
        if badge
        and door
        and right.member == badge.member
        and set(right.rooms) & set(door.rooms)
        and instant in _covered(content, right, door)
    }


@trying
@given(some.contents)
def test_a_right_never_grants_outside_its_window_and_always_within(content: Content) -> None:
    policy = Policy(content)
    for state, tap, now in some.questions(40, seed=2):
        decision = decide(policy, state, tap, at(now.at))
        holding = _holding(content, tap, now.at)
        if decision.reason in (Reason.BOOKED, Reason.ENTITLED):
            assert decision.right in holding
            assert holding[decision.right].kind == decision.reason
        if decision.steps[-1].rule == "nearest":
            assert not holding


@trying
@given(some.contents, some.rights)
def test_a_right_more_never_lifts_a_denial_that_is_not_about_rights(
    content: Content, right: Right
) -> None:
    richer = replace(content, rights={**content.rights, "more": right})
    before, after = Policy(content, None, 1_000), Policy(richer, None, 1_000)
    for question in some.questions(60, seed=3):
        decision = decide(before, *question)
        if not decision.granted and decision.steps[-1].rule in ORDER[:9]:
            assert decide(after, *question) == decision


@trying
@given(some.contents, st.randoms(use_true_random=False))
def test_hub_and_door_decide_the_same_whatever_order_the_policy_came_in(
    content: Content, random: Random
) -> None:
    document = json.loads(json.dumps(document_of(content)))
    shuffled = {name: _shuffled(part, random) for name, part in document.items()}
    number = PolicyNumber(2, 5)
    hub, door = Policy(content, number), Policy(content_of(shuffled), number)
    for question in some.questions(60, seed=4):
        assert decide(hub, *question) == decide(door, *question)


def _shuffled(part: dict[str, Any], random: Random) -> dict[str, Any]:
    keys = list(part)
    random.shuffle(keys)
    return {key: part[key] for key in keys}
