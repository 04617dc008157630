"""The access decision, rules 10 to 13: bookings, standing rights and the nearest reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.asking import (
    BADGE,
    BOOKED,
    DOOR,
    END,
    FREE,
    HOUR,
    LOCKDOWN,
    MIN,
    MOMENT,
    NOW,
    STANDING,
    START,
    TAP,
    UNKNOWN,
    ask,
    at,
)

from kokubus.access import decide
from kokubus.decision import Moment, Reason, State, Tap
from kokubus.messages import Side
from kokubus.rights import BadgeRules, Content, DoorRules, Policy, Right, RightKind


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
