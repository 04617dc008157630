"""Rows become rights: the doors on the way, what a state means, a container in transit."""

from __future__ import annotations

from types import SimpleNamespace as Row
from typing import Any

from kokubus.rights import AntiPassback, ModeKind, RightKind, unbounded
from kokubus_hub import rules

HOUR_MS = 3_600_000
MONDAY_NOON = 1_789_984_800_000
"""2026-09-21 10:00 UTC."""
WEEK = {day: ["08:00-20:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


def mode_row(kind: str, start: int, end: int | None, booking: int | None = None) -> Row:
    return Row(kind=kind, start=start, end=end, booking_id=booking)


def site(**values: Any) -> Row:
    usual = {"kind": "building", "opening": WEEK, "timezone": "Europe/Berlin"}
    usual |= {"lead_ms": 900_000, "grace_ms": 600_000, "opens_without_clock": False}
    return Row(**(usual | values))


def door(room: int, origin: int | None = None, **values: Any) -> Row:
    usual = {"anti_passback": "off", "reads_both_sides": False, "min_assurance": 0}
    usual |= {"free_passage": False}
    return Row(room_id=room, from_room_id=origin, **(usual | values))


def badge(**values: Any) -> Row:
    usual = {"status": "active", "start": None, "end": None, "override_lockdown": False}
    return Row(**(usual | values))


def member(**values: Any) -> Row:
    return Row(**({"slug": "m-1", "status": "active", "start": None, "end": None} | values))


def booking(**values: Any) -> Row:
    usual = {"id": 7, "status": "confirmed", "whole_day": False, "date": None}
    usual |= {"start": MONDAY_NOON, "end": MONDAY_NOON + HOUR_MS}
    return Row(**(usual | values))


def entitlement(**values: Any) -> Row:
    return Row(**({"id": 3, "schedule": None, "start": None, "end": None} | values))


def test_a_front_door_leads_to_every_room_behind_it() -> None:
    slugs = {1: "hall", 2: "desks", 3: "booth", 4: "shed"}
    front, desks, booth, shed = door(1), door(2, 1), door(3, 2), door(4)
    doors = [front, desks, booth, shed]
    assert rules.rooms_behind(front, doors, slugs) == ("hall", "desks", "booth")
    assert rules.rooms_behind(desks, doors, slugs) == ("desks", "booth")
    assert rules.rooms_behind(shed, doors, slugs) == ("shed",)


def test_rooms_that_lead_into_each_other_end() -> None:
    slugs = {1: "hall", 2: "desks"}
    doors = [door(1), door(2, 1), door(1, 2)]
    assert rules.rooms_behind(doors[0], doors, slugs) == ("hall", "desks")


def test_two_ways_lead_to_the_same_room_once() -> None:
    slugs = {1: "hall", 2: "left", 3: "right", 4: "desks"}
    doors = [door(1), door(2, 1), door(3, 1), door(4, 2), door(4, 3)]
    assert rules.rooms_behind(doors[0], doors, slugs) == ("hall", "left", "right", "desks")


def test_a_door_has_its_sites_times_and_its_own_rules() -> None:
    mode = mode_row("lockdown", 5, None)
    closures = [Row(start=10, end=20), Row(start=20, end=30)]
    made = rules.door_rules(
        door(1, anti_passback="deny"), site(), ("hall",), modes=[mode], closures=closures
    )
    assert (made.lead_ms, made.grace_ms, made.rooms) == (900_000, 600_000, ("hall",))
    assert made.anti_passback is AntiPassback.DENY
    assert made.closures == ((10, 30),)
    assert [(mode.kind, mode.start, mode.end) for mode in made.modes] == [
        (ModeKind.LOCKDOWN, 5, None)
    ]


def test_a_container_is_closed_between_placements() -> None:
    stops = [Row(start=100, end=200), Row(start=300, end=400)]
    made = rules.door_rules(door(1), site(kind="container"), ("hall",), placements=stops)
    assert made.closures == ((0, 100), (200, 300), (400, rules.FAR))


def test_a_strike_that_burns_out_is_never_held_back() -> None:
    free, locked = mode_row("free_passage", 5, 9), mode_row("lockdown", 5, 9)
    made = rules.door_rules(door(1), site(), ("hall",), modes=[free, locked])
    assert [mode.kind for mode in made.modes] == [ModeKind.LOCKDOWN]
    rated = rules.door_rules(door(1, free_passage=True), site(), ("hall",), modes=[free])
    assert [mode.kind for mode in rated.modes] == [ModeKind.FREE_PASSAGE]


def test_a_mode_is_of_a_door_of_a_site_or_of_the_network() -> None:
    this = Row(id=1, site_id=1)
    for mode, holds in (
        (Row(door_id=1, site_id=None), True),
        (Row(door_id=2, site_id=None), False),
        (Row(door_id=None, site_id=1), True),
        (Row(door_id=None, site_id=2), False),
        (Row(door_id=None, site_id=None), True),
    ):
        assert rules.concerns(mode, this) is holds


def test_free_passage_does_not_hold_a_container_open_in_transit() -> None:
    modes = [mode_row("free_passage", 150, 350)]
    stops = [Row(start=100, end=200), Row(start=300, end=None)]
    made = rules.door_rules(
        door(1, free_passage=True),
        site(kind="container"),
        ("hall",),
        modes=modes,
        placements=stops,
    )
    assert [(mode.start, mode.end) for mode in made.modes] == [(150, 200), (300, 350)]


def test_lockdown_holds_in_transit_too() -> None:
    modes = [mode_row("lockdown", 150, 350)]
    made = rules.door_rules(door(1), site(kind="container"), ("hall",), modes=modes)
    assert [(mode.start, mode.end) for mode in made.modes] == [(150, 350)]


def test_a_building_without_a_placement_is_not_in_transit() -> None:
    assert rules.in_transit(site(), []) == ()
    assert rules.in_transit(site(kind="container"), []) == ((0, rules.FAR),)


def test_a_badge_that_is_not_active_is_blocked() -> None:
    for status in ("lost", "blocked", "replaced", "something new"):
        assert rules.badge_rules(badge(status=status), member()).blocked
    assert not rules.badge_rules(badge(), member()).blocked


def test_a_member_that_is_not_active_is_suspended() -> None:
    assert rules.badge_rules(badge(), member(status="suspended")).suspended
    assert rules.badge_rules(badge(), member(status="something new")).suspended
    assert not rules.badge_rules(badge(), member()).suspended


def test_a_badge_is_bounded_by_the_membership() -> None:
    made = rules.badge_rules(badge(start=10, end=40), member(start=20, end=30))
    assert (made.start, made.end) == (20, 30)
    made = rules.badge_rules(badge(start=10), member(end=30))
    assert (made.start, made.end) == (10, 30)


def test_a_badge_nobody_has_belongs_to_no_member() -> None:
    made = rules.badge_rules(badge(), None)
    assert (made.member, made.suspended, made.end) == (None, False, None)


def test_a_booking_is_its_time() -> None:
    right = rules.booking_right(booking(), "m-1", "desks", site())
    assert right is not None
    assert right.windows == ((MONDAY_NOON, MONDAY_NOON + HOUR_MS),)
    assert (right.kind, right.rooms, right.exact) == (RightKind.BOOKED, ("desks",), False)


def test_a_booking_that_does_not_stand_gives_no_right() -> None:
    for status in ("cancelled", "something new"):
        assert rules.booking_right(booking(status=status), "m-1", "desks", site()) is None


def test_a_whole_day_is_that_days_opening_hours_exactly() -> None:
    right = rules.booking_right(booking(whole_day=True, date="2026-09-21"), "m-1", "desks", site())
    assert right is not None
    eight = MONDAY_NOON - 4 * HOUR_MS
    assert (right.windows, right.exact) == (((eight, eight + 12 * HOUR_MS),), True)


def test_a_whole_day_on_a_closed_day_gives_no_right() -> None:
    closed = booking(whole_day=True, date="2026-09-20")
    assert rules.booking_right(closed, "m-1", "desks", site()) is None


def test_a_standing_right_has_its_own_schedule_or_the_opening_hours() -> None:
    plain, own = entitlement(), entitlement(schedule={"sat": ["08:00-12:00"]})
    at_opening = rules.entitlement_right(plain, "m-1", ("hall",), site())
    at_own = rules.entitlement_right(own, "m-1", ("hall",), site())
    assert at_opening.schedule not in (None, at_own.schedule)
    assert rules.schedule_of(plain, site()) == WEEK
    assert rules.schedule_of(own, site()) == {"sat": ["08:00-12:00"]}


def test_an_empty_schedule_is_never_and_not_the_opening_hours() -> None:
    never = entitlement(schedule={})
    assert rules.schedule_of(never, site()) == {}
    assert rules.entitlement_right(never, "m-1", ("hall",), site()).schedule is not None


def test_a_standing_right_with_dates_is_bounded_by_them() -> None:
    right = rules.entitlement_right(entitlement(start=10, end=20), "m-1", ("hall",), site())
    assert right.windows == ((10, 20),)
    right = rules.entitlement_right(entitlement(end=20), "m-1", ("hall",), site())
    assert right.windows == ((0, 20),)


def test_only_day_and_night_without_dates_has_no_bound() -> None:
    ever = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    free = rules.entitlement_right(entitlement(schedule=ever), "m-1", ("hall",), site())
    dated = rules.entitlement_right(entitlement(schedule=ever, end=9), "m-1", ("hall",), site())
    usual = rules.entitlement_right(entitlement(), "m-1", ("hall",), site())
    assert [unbounded(right) for right in (free, dated, usual)] == [True, False, False]


def test_keys_tell_bookings_from_standing_rights() -> None:
    assert rules.booking_key(booking()) == "b7"
    assert rules.entitlement_key(entitlement()) == "e3"


def test_an_event_yields_to_a_closure() -> None:
    modes = [mode_row("free_passage", 100, 400, booking=7), mode_row("free_passage", 100, 400)]
    closures = [Row(start=200, end=300)]
    made = rules.door_rules(
        door(1, free_passage=True), site(), ("hall",), modes=modes, closures=closures
    )
    assert [(mode.start, mode.end) for mode in made.modes] == [(100, 200), (300, 400), (100, 400)]
