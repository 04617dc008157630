"""The access decision, rules 1 to 9: each of them, and what it beats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.asking import (
    BADGE,
    BOOKED,
    DOOR,
    END,
    FREE,
    HOUR,
    LOCKDOWN,
    NOW,
    STANDING,
    START,
    ask,
    at,
)

from kokubus.decision import Moment, Reason, State, Tap
from kokubus.messages import Side
from kokubus.rights import AntiPassback, BadgeRules

EVERYTHING_WRONG: dict[str, Any] = {
    "door": replace(
        DOOR,
        modes=(LOCKDOWN,),
        closures=((START, END),),
        anti_passback=AntiPassback.DENY,
        reads_both_sides=True,
        min_assurance=1,
    ),
    "badge": replace(BADGE, blocked=True, suspended=True, end=START),
    "state": State(inside=True, free_places=0),
    "now": Moment(at=NOW, policy_age_ms=HOUR),
    "max_age_ms": HOUR,
}
# Each step puts one thing right; the reason must move to the next rule, in the order of the
# design. The badge's own four findings come in the order of rule 4.
MENDED = [
    ("lockdown", {}),
    ("badge_blocked", {"door": {"modes": ()}}),
    ("badge_expired", {"badge": {"blocked": False}}),
    ("badge_too_weak", {"badge": {"end": None}}),
    ("member_suspended", {"door": {"min_assurance": 0}}),
    ("policy_stale", {"badge": {"suspended": False}}),
    ("closed", {"now": {"policy_age_ms": HOUR - 1}}),
    ("already_inside", {"door": {"closures": ()}}),
    ("room_full", {"state": {"inside": False}}),
    ("entitled", {"state": {"free_places": 1}}),
]


@pytest.mark.parametrize("step", range(len(MENDED)), ids=[reason for reason, _ in MENDED])
def test_the_first_rule_that_speaks_decides(step: int) -> None:
    world = dict(EVERYTHING_WRONG)
    for _, mended in MENDED[: step + 1]:
        for part, change in mended.items():
            world[part] = replace(world[part], **change)
    assert ask(STANDING, **world).reason == MENDED[step][0]


def test_1_an_unknown_door_is_said_before_anything_else() -> None:
    decision = ask(STANDING, tap=Tap(door="back", badge="nobody"))
    assert (decision.granted, decision.reason) == (False, Reason.DOOR_UNKNOWN)
    assert [step.rule for step in decision.steps] == ["door"]


def test_2_lockdown_stops_everybody_but_those_who_override_it() -> None:
    door = replace(DOOR, modes=(LOCKDOWN,))
    overrides = replace(BADGE, override_lockdown=True)
    assert ask(STANDING, door=door).reason == Reason.LOCKDOWN
    assert ask(door=door, badge=None).reason == Reason.LOCKDOWN
    assert ask(STANDING, door=door, badge=replace(BADGE, keyholder=("front",))).granted is False
    assert ask(STANDING, door=door, badge=overrides).reason == Reason.ENTITLED
    assert ask(door=door, badge=overrides).reason == Reason.NO_BOOKING
    assert ask(STANDING, door=door, badge=replace(overrides, blocked=True)).granted is False


def test_2_lockdown_ends_free_passage_also_for_those_who_override_it() -> None:
    door = replace(DOOR, modes=(FREE, LOCKDOWN))
    assert ask(door=door).reason == Reason.LOCKDOWN
    overriding = ask(door=door, badge=replace(BADGE, override_lockdown=True))
    assert overriding.reason == Reason.NO_BOOKING


@pytest.mark.parametrize(
    ("instant", "reason"),
    [
        (START - 1, "badge_unknown"),
        (START, "free_passage"),
        (END - 1, "free_passage"),
        (END, "badge_unknown"),
    ],
)
def test_3_free_passage_is_for_anybody_while_it_lasts(instant: int, reason: str) -> None:
    assert ask(door=replace(DOOR, modes=(FREE,)), badge=None, now=at(instant)).reason == reason


def test_3_free_passage_without_an_end_lasts() -> None:
    door = replace(DOOR, modes=(replace(FREE, end=None),))
    assert ask(door=door, badge=None, now=at(END * 2)).reason == Reason.FREE_PASSAGE


def test_3_a_stale_policy_frees_no_door() -> None:
    door = replace(DOOR, modes=(replace(FREE, end=None),))
    stale = Moment(at=NOW, policy_age_ms=HOUR)
    stranger = ask(door=door, badge=None, now=stale, max_age_ms=HOUR)
    assert stranger.reason == Reason.BADGE_UNKNOWN
    assert ask(STANDING, door=door, now=stale, max_age_ms=HOUR).reason == Reason.POLICY_STALE


@pytest.mark.parametrize(
    ("badge", "reason"),
    [
        (None, "badge_unknown"),
        (replace(BADGE, blocked=True), "badge_blocked"),
        (replace(BADGE, start=NOW + 1), "badge_expired"),
        (replace(BADGE, start=NOW), "entitled"),
        (replace(BADGE, end=NOW), "badge_expired"),
        (replace(BADGE, end=NOW + 1), "entitled"),
        (BadgeRules(), "no_booking"),
    ],
)
def test_4_a_badge_must_be_known_active_and_in_its_time(
    badge: BadgeRules | None, reason: str
) -> None:
    assert ask(STANDING, badge=badge).reason == reason


@pytest.mark.parametrize(("assurance", "reason"), [(1, "badge_too_weak"), (2, "entitled")])
def test_4_a_door_may_ask_for_more_than_a_uid(assurance: int, reason: str) -> None:
    tap = Tap(door="front", badge="card", assurance=assurance)
    assert ask(STANDING, door=replace(DOOR, min_assurance=2), tap=tap).reason == reason


@pytest.mark.parametrize("change", [{"blocked": True}, {"end": NOW}, {"suspended": True}])
def test_4_5_come_before_the_keyholder(change: dict[str, Any]) -> None:
    badge = replace(BADGE, keyholder=("front",), **change)
    assert ask(badge=badge).granted is False


def test_6_a_keyholder_survives_rules_7_to_11_and_is_flagged() -> None:
    world = dict(EVERYTHING_WRONG)
    world["door"] = replace(world["door"], modes=(), min_assurance=0)
    world["badge"] = replace(BADGE, keyholder=("front",))
    decision = ask(**world)
    assert (decision.granted, decision.reason) == (True, Reason.KEYHOLDER)
    assert decision.flags == ("keyholder_used",)


def test_6_a_keyholder_holds_the_key_of_named_doors_only() -> None:
    assert ask(badge=replace(BADGE, keyholder=("front-garden", "back"))).granted is False


def test_7_only_a_door_can_be_stale() -> None:
    old = Moment(at=NOW, policy_age_ms=HOUR)
    assert ask(STANDING, now=old, max_age_ms=HOUR).reason == Reason.POLICY_STALE
    assert ask(STANDING, now=old, max_age_ms=HOUR + 1).reason == Reason.ENTITLED
    assert ask(STANDING, now=old, max_age_ms=None).reason == Reason.ENTITLED


def test_8_a_closure_beats_a_booking_and_says_until_when() -> None:
    door = replace(DOOR, closures=((START, END),))
    decision = ask(BOOKED, STANDING, door=door)
    assert (decision.reason, decision.detail) == (Reason.CLOSED, {"until": END})
    assert ask(BOOKED, door=door, now=at(END)).reason == Reason.BOOKED


def test_8_closures_that_follow_each_other_are_one() -> None:
    closures = ((END, END + HOUR), (START, END), (END + 2 * HOUR, END + 3 * HOUR))
    decision = ask(BOOKED, door=replace(DOOR, closures=closures))
    assert decision.detail == {"until": END + HOUR}


@pytest.mark.parametrize(
    ("rule", "both", "inside", "side", "granted", "flags"),
    [
        (AntiPassback.OFF, True, True, Side.IN, True, ()),
        (AntiPassback.OFF, True, None, Side.IN, True, ()),
        (AntiPassback.FLAG, True, True, Side.IN, True, ("already_inside",)),
        (AntiPassback.FLAG, True, None, Side.IN, True, ("passback_unknown",)),
        (AntiPassback.FLAG, True, False, Side.IN, True, ()),
        (AntiPassback.DENY, True, True, Side.IN, False, ()),
        (AntiPassback.DENY, True, True, Side.OUT, True, ()),
        (AntiPassback.DENY, True, False, Side.IN, True, ()),
        (AntiPassback.DENY, True, None, Side.IN, True, ("passback_unknown",)),
        (AntiPassback.DENY, False, True, Side.IN, True, ("already_inside",)),
    ],
)
def test_9_anti_passback(
    *,
    rule: AntiPassback,
    both: bool,
    inside: bool | None,
    side: Side,
    granted: bool,
    flags: tuple[str, ...],
) -> None:
    door = replace(DOOR, anti_passback=rule, reads_both_sides=both)
    tap = Tap(door="front", badge="card", side=side)
    decision = ask(BOOKED, door=door, tap=tap, state=State(inside=inside))
    assert (decision.granted, decision.flags) == (granted, flags)
    assert decision.reason == (Reason.BOOKED if granted else Reason.ALREADY_INSIDE)
