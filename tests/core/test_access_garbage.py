"""Whatever is handed to the access decision, garbage neither raises nor grants."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.asking import BADGE, BOOKED, DOOR, NOW, STANDING, START, ask, at
from tests.core.strategies import trying

from kokubus.access import decide
from kokubus.decision import Moment, Reason, State, Tap
from kokubus.rights import BadgeRules, Content, DoorRules, Mode, Policy, Right


class Odd:
    """Agrees to be anything that is asked of it."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __lt__(self, other: object) -> bool:
        return True

    __le__ = __gt__ = __ge__ = __lt__

    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter(["hall", "front"])


GARBAGE = [
    None,
    Odd(),
    object(),
    [],
    {},
    b"front",
    float("nan"),
    float("inf"),
    "front",
    "1",
    0,
    True,
]
garbage = st.sampled_from(GARBAGE)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("thing", GARBAGE, ids=lambda thing: type(thing).__name__)
def test_garbage_instead_of_an_argument_denies(place: int, thing: Any) -> None:
    arguments: list[Any] = [
        Policy(Content(doors={"front": DOOR}, badges={"card": BADGE}, rights={"r": STANDING})),
        State(),
        Tap(door="front", badge="card"),
        at(NOW),
    ]
    arguments[place] = thing
    decision = decide(*arguments)
    assert (decision.granted, decision.reason) == (False, Reason.RULE_ERROR)
    assert decision.steps[-1].finding == "denied"


FIELDS = [
    *((BADGE, name) for name in ("blocked", "suspended", "override_lockdown", "keyholder")),
    *((BADGE, name) for name in ("start", "end", "member")),
    *((DOOR, field.name) for field in fields(DoorRules)),
    *((at(NOW), field.name) for field in fields(Moment)),
    *((State(), field.name) for field in fields(State)),
    *((Tap(door="front", badge="card"), field.name) for field in fields(Tap)),
]


def _fits(whole: Any, name: str, thing: Any) -> bool:
    """Whether a thing may stand there: same type as what does, or the None it stands for."""
    stands = getattr(whole, name)
    optional = {"start": int, "end": int, "member": str, "inside": bool, "free_places": int}
    if name in optional:
        return thing is None or isinstance(thing, optional[name])
    return isinstance(thing, type(stands))


@pytest.mark.parametrize(
    ("whole", "name"), FIELDS, ids=[f"{type(whole).__name__}.{name}" for whole, name in FIELDS]
)
def test_garbage_in_a_field_denies(whole: Any, name: str) -> None:
    places = {BadgeRules: "badge", DoorRules: "door", Moment: "now", State: "state", Tap: "tap"}
    for thing in GARBAGE:
        if not _fits(whole, name, thing):
            broken = replace(whole, **{name: thing})
            decision = ask(BOOKED, STANDING, **{places[type(whole)]: broken})
            assert (decision.granted, decision.reason) == (False, Reason.RULE_ERROR), thing


@pytest.mark.parametrize("name", [field.name for field in fields(Right)])
def test_garbage_in_a_right_does_not_grant(name: str) -> None:
    for right in (STANDING, BOOKED):
        for thing in GARBAGE:
            if thing is None and name in ("windows", "schedule"):
                continue
            if isinstance(thing, str) and name in ("member", "schedule"):
                continue
            if isinstance(thing, bool) and name == "exact":
                continue
            try:
                policy = Policy(
                    Content(
                        doors={"front": DOOR},
                        badges={"card": BADGE},
                        rights={"r": replace(right, **{name: thing})},
                    )
                )
            except TypeError:  # unhashable member: the policy is not even made
                continue
            assert not decide(policy, State(), Tap(door="front", badge="card"), at(NOW)).granted


@trying
@given(some.policies, garbage, garbage)
@pytest.mark.parametrize("section", ["doors", "badges", "rights", "schedules"])
def test_a_broken_policy_neither_raises_nor_grants_more(
    section: str, policy: Policy, number: Any, thing: Any
) -> None:
    for question in some.questions(10, seed=5):
        whole = policy.content
        before = decide(policy, *question)
        policy.content, policy.number = replace(whole, **{section: thing}), number
        assert before.granted or not decide(policy, *question).granted
        policy.content = whole


def test_a_broken_mode_locks_instead_of_being_overlooked() -> None:
    lockdown: Any = Mode(kind="lockdown", start=START)  # type: ignore[arg-type]  # a bare text
    assert ask(STANDING, door=replace(DOOR, modes=(lockdown,))).reason == Reason.RULE_ERROR
    passback: Any = "deny"
    door = replace(DOOR, anti_passback=passback, reads_both_sides=True)
    assert ask(STANDING, door=door, state=State(inside=True)).granted is False
