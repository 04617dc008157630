"""The access decision: every rule and its precedence, and what must hold for any input."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.strategies import trying

from kokubus.access import decide
from kokubus.decision import Decision, Moment, Reason, State, Tap
from kokubus.messages import PolicyNumber, Side
from kokubus.policy import content_of, document_of
from kokubus.rights import (
    AntiPassback,
    BadgeRules,
    Content,
    DoorRules,
    Mode,
    ModeKind,
    Policy,
    Right,
    RightKind,
)

MIN = 60_000
HOUR = 60 * MIN
START = 1_790_000_000_000
END = START + HOUR
NOW = START + 10 * MIN
ORDER = (
    "door",
    "lockdown",
    "free_passage",
    "badge",
    "member",
    "keyholder",
    "stale",
    "closed",
    "passback",
    "booked",
    "full",
    "entitled",
    "nearest",
)
DOOR = DoorRules(rooms=("hall",), lead_ms=15 * MIN, grace_ms=15 * MIN)
BADGE = BadgeRules(member="ada")
TAP, UNKNOWN, MOMENT = Tap(door="front", badge="card"), State(), Moment(at=NOW)
BOOKED = Right(member="ada", rooms=("hall",), windows=((START, END),))
STANDING = Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED)
LOCKDOWN = Mode(kind=ModeKind.LOCKDOWN, start=START)
FREE = Mode(kind=ModeKind.FREE_PASSAGE, start=START, end=END)


def ask(
    *rights: Right,
    door: DoorRules = DOOR,
    badge: BadgeRules | None = BADGE,
    state: State = UNKNOWN,
    tap: Tap = TAP,
    now: Moment = MOMENT,
    max_age_ms: int | None = None,
) -> Decision:
    content = Content(
        doors={"front": door},
        badges={"card": badge} if badge else {},
        rights={f"r{number}": right for number, right in enumerate(rights)},
    )
    return decide(Policy(content, PolicyNumber(1, 7), max_age_ms), state, tap, now)


def at(instant: int) -> Moment:
    return Moment(at=instant)


# --- each rule, and what it beats --------------------------------------------------------

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


@pytest.mark.parametrize(
    ("instant", "reason"),
    [
        (START - 15 * MIN - 1_000, "too_early"),
        (START - 15 * MIN, "booked"),
        (END + 15 * MIN - 1_000, "booked"),
        (END + 15 * MIN, "too_late"),
    ],
)
def test_10_lead_and_grace_to_the_second(instant: int, reason: str) -> None:
    decision = ask(BOOKED, now=at(instant))
    assert decision.reason == reason
    assert decision.right == ("r0" if decision.granted else None)


@pytest.mark.parametrize(
    ("instant", "reason"),
    [(START - 1, "too_early"), (START, "booked"), (END - 1, "booked"), (END, "too_late")],
)
def test_10_a_whole_day_has_neither_lead_nor_grace(instant: int, reason: str) -> None:
    assert ask(replace(BOOKED, exact=True), now=at(instant)).reason == reason


def test_10_a_booking_has_its_seat() -> None:
    assert ask(BOOKED, state=State(free_places=0)).reason == Reason.BOOKED


def test_10_a_booking_without_an_hour_never_holds() -> None:
    assert ask(replace(BOOKED, windows=None)).reason == Reason.NO_BOOKING


@pytest.mark.parametrize("kind", RightKind)
def test_a_right_of_which_no_window_is_left_never_holds(kind: RightKind) -> None:
    assert ask(replace(BOOKED, kind=kind, windows=())).reason == Reason.NO_BOOKING


def test_of_two_rights_that_hold_the_first_by_name_is_told_whatever_their_order() -> None:
    one, other = replace(STANDING, rooms=("hall",)), replace(STANDING, rooms=("hall", "studio"))
    for rights in ({"r1": one, "r2": other}, {"r2": other, "r1": one}):
        content = Content(doors={"front": DOOR}, badges={"card": BADGE}, rights=rights)
        assert decide(Policy(content), UNKNOWN, TAP, MOMENT).right == "r1"


def test_a_schedule_without_a_name_is_a_bound_all_the_same() -> None:
    nameless = replace(STANDING, windows=((START, END),), schedule="")
    assert ask(nameless).reason == Reason.NO_BOOKING


def test_a_window_that_ends_before_it_starts_is_none() -> None:
    backwards = replace(BOOKED, windows=((NOW + MIN, NOW - MIN), (NOW, NOW)))
    assert ask(backwards).reason == Reason.NO_BOOKING


@pytest.mark.parametrize(
    ("places", "side", "reason"),
    [
        (0, Side.IN, "room_full"),
        (-3, Side.IN, "room_full"),
        (1, Side.IN, "entitled"),
        (None, Side.IN, "entitled"),
        (0, Side.OUT, "entitled"),
    ],
)
def test_11_a_full_room_stops_flexible_rights(places: int | None, side: Side, reason: str) -> None:
    tap = Tap(door="front", badge="card", side=side)
    assert ask(STANDING, state=State(free_places=places), tap=tap).reason == reason


def test_11_a_full_room_is_no_news_to_those_without_a_right() -> None:
    assert ask(state=State(free_places=0)).reason == Reason.NO_BOOKING


@pytest.mark.parametrize(
    ("instant", "reason"),
    [(START - 1, "too_early"), (START, "entitled"), (END - 1, "entitled"), (END, "too_late")],
)
def test_12_a_standing_right_keeps_its_hours(instant: int, reason: str) -> None:
    assert ask(replace(STANDING, windows=((START, END),)), now=at(instant)).reason == reason


@pytest.mark.parametrize(
    ("windows", "schedules", "granted"),
    [
        (None, {"office": ((START, END),)}, True),
        (((START, END),), {"office": ((START, END),)}, True),
        (((START, END),), {"office": ((END, END + HOUR),)}, False),
        (((START, END),), {"office": ()}, False),
        (((START, END),), {}, False),
        (None, {}, False),
    ],
)
def test_12_a_schedule_bounds_and_a_missing_one_bounds_to_never(
    *,
    windows: tuple[tuple[int, int], ...] | None,
    schedules: dict[str, tuple[tuple[int, int], ...]],
    granted: bool,
) -> None:
    right = replace(STANDING, windows=windows, schedule="office")
    content = Content(
        doors={"front": DOOR}, badges={"card": BADGE}, rights={"r": right}, schedules=schedules
    )
    decision = decide(Policy(content), State(), Tap(door="front", badge="card"), at(NOW))
    assert decision.granted is granted


def test_13_the_nearest_window_gives_the_reason_and_its_instant() -> None:
    early = replace(BOOKED, windows=((NOW + 2 * HOUR, NOW + 3 * HOUR),))
    late = replace(BOOKED, windows=((NOW - 5 * HOUR, NOW - 4 * HOUR),))
    decision = ask(late, early)
    assert decision.reason == Reason.TOO_EARLY
    assert decision.detail == {"from": NOW + 2 * HOUR - 15 * MIN}
    decision = ask(late, early, now=at(NOW - 3 * HOUR))
    assert decision.reason == Reason.TOO_LATE
    assert decision.detail == {"since": NOW - 4 * HOUR + 15 * MIN}


def test_13_what_lies_ahead_is_said_before_what_is_over() -> None:
    before = replace(BOOKED, exact=True, windows=((NOW - HOUR, NOW - MIN),))
    after = replace(BOOKED, exact=True, windows=((NOW + MIN, NOW + HOUR),))
    assert ask(before, after).reason == Reason.TOO_EARLY


def test_13_a_booking_elsewhere_now_says_where() -> None:
    elsewhere = replace(BOOKED, rooms=("studio", "attic"))
    tomorrow = replace(BOOKED, windows=((NOW + 24 * HOUR, NOW + 25 * HOUR),))
    decision = ask(tomorrow, elsewhere)
    assert (decision.reason, decision.detail) == (Reason.WRONG_PLACE, {"where": "studio"})


def test_13_a_standing_right_elsewhere_yields_to_a_booking_here() -> None:
    tomorrow = replace(BOOKED, windows=((NOW + 24 * HOUR, NOW + 25 * HOUR),))
    elsewhere = replace(STANDING, rooms=("studio",))
    assert ask(tomorrow, elsewhere).reason == Reason.TOO_EARLY
    assert ask(elsewhere).reason == Reason.WRONG_PLACE


def test_13_a_right_to_no_room_leads_nowhere() -> None:
    assert ask(replace(STANDING, rooms=())).reason == Reason.NO_BOOKING


def test_13_somebody_elses_right_is_no_reason() -> None:
    assert ask(replace(BOOKED, member="ben")).reason == Reason.NO_BOOKING


# --- an untrusted clock ------------------------------------------------------------------

LOST = Moment(at=NOW, trusted=False)
BLIND = replace(DOOR, opens_without_clock=True)


@pytest.mark.parametrize(
    ("right", "door", "badge", "reason"),
    [
        (STANDING, BLIND, BADGE, "entitled"),
        (STANDING, DOOR, BADGE, "clock_untrusted"),
        (BOOKED, BLIND, BADGE, "clock_untrusted"),
        (replace(STANDING, windows=((START, END),)), BLIND, BADGE, "clock_untrusted"),
        (replace(STANDING, schedule="office"), BLIND, BADGE, "clock_untrusted"),
        (STANDING, BLIND, replace(BADGE, end=NOW + HOUR), "clock_untrusted"),
        (STANDING, BLIND, replace(BADGE, start=NOW - HOUR), "clock_untrusted"),
    ],
)
def test_without_a_clock_only_what_has_no_bound_counts_and_only_if_the_site_says_so(
    right: Right, door: DoorRules, badge: BadgeRules, reason: str
) -> None:
    assert ask(right, door=door, badge=badge, now=LOST).reason == reason


def test_without_a_clock_a_mode_cannot_have_ended() -> None:
    over = replace(LOCKDOWN, start=START - HOUR, end=START - MIN)
    assert ask(STANDING, door=replace(BLIND, modes=(over,)), now=LOST).reason == Reason.LOCKDOWN
    free = replace(BLIND, modes=(FREE,))
    assert ask(door=free, badge=None, now=LOST).reason == Reason.BADGE_UNKNOWN


def test_without_a_clock_a_keyholder_passes_unless_the_badge_may_have_ended() -> None:
    keyholder = replace(BADGE, keyholder=("front",))
    assert ask(badge=keyholder, now=LOST).reason == Reason.KEYHOLDER
    ended = replace(keyholder, end=NOW - HOUR)
    assert ask(badge=ended, now=LOST).reason == Reason.CLOCK_UNTRUSTED


# --- what holds for any input ------------------------------------------------------------


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


# --- garbage -----------------------------------------------------------------------------


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
