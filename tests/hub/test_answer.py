"""From badge to answer through real rows: every rule, and nothing remembered too long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub.intake_world import (
    BACK,
    DAYS,
    FRONT,
    HALL,
    HOUR_MS,
    INNER,
    NOW,
    OTHER_UID,
    STUDIO,
    UID,
    World,
    world,
)

from kokubus.messages import Side
from kokubus_hub import models

OFFICE = {day: ["08:00-20:00"] for day in DAYS}
CLOSED_NOW = {day: ["08:00-12:00"] for day in DAYS}
FOUR_O_CLOCK = 1_790_042_400_000
"""2026-09-22 04:00 in Berlin."""
MIDNIGHT = 1_789_941_600_000
"""2026-09-21 00:00 at the site."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def walk_in(hub: World, uid: str = UID, door: str = FRONT, side: Side = Side.IN) -> None:
    tap = hub.device.tapped(uid, door, at=hub.now, side=side)
    hub.take(hub.device.say(tap), hub.device.passage(hub.now, door, tap=tap.id, side=side))


# --- badge and member --------------------------------------------------------------------


def test_nobody_knows_the_badge(hub: World) -> None:
    assert hub.reason() == "badge_unknown"


@pytest.mark.parametrize(
    ("badge", "member", "reason"),
    [
        ({}, {}, "booked"),
        ({"status": "blocked"}, {}, "badge_blocked"),
        ({"status": "lost"}, {}, "badge_blocked"),
        ({"start": NOW + 1}, {}, "badge_expired"),
        ({"end": NOW}, {}, "badge_expired"),
        ({"end": NOW + 1}, {}, "booked"),
        ({}, {"end": NOW}, "badge_expired"),
        ({}, {"start": NOW + 1}, "badge_expired"),
        ({}, {"status": "suspended"}, "member_suspended"),
    ],
)
def test_badge_and_member(
    hub: World, badge: dict[str, Any], member: dict[str, Any], reason: str
) -> None:
    hub.book(hub.member(badge=badge, **member))
    assert hub.reason() == reason


def test_a_badge_of_nobody_has_no_booking(hub: World) -> None:
    hub.badge()
    assert hub.reason() == "no_booking"


def test_a_door_may_ask_for_a_better_badge(hub: World) -> None:
    hub.set(models.Door, FRONT, min_assurance=1)
    hub.book(hub.member())
    assert (hub.reason(), hub.reason(assurance=1)) == ("badge_too_weak", "booked")


# --- bookings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (NOW + 900_000, "booked"),
        (NOW + 900_001, "too_early"),
        (NOW - 2 * HOUR_MS - 899_999, "booked"),
        (NOW - 2 * HOUR_MS - 900_000, "too_late"),
    ],
)
def test_a_booking_holds_from_its_lead_to_its_grace(hub: World, start: int, reason: str) -> None:
    hub.book(hub.member(), start=start)
    assert hub.reason() == reason


def test_too_early_says_from_when(hub: World) -> None:
    hub.book(hub.member(), start=NOW + HOUR_MS)
    assert hub.ask(hub.device.tap()).detail == {"from": NOW + HOUR_MS - 900_000}


def test_a_cancelled_booking_opens_nothing(hub: World) -> None:
    hub.book(hub.member(), status="cancelled")
    assert hub.reason() == "no_booking"


def test_a_booking_opens_all_doors_on_its_way_and_no_other(hub: World) -> None:
    hub.book(hub.member(), STUDIO)
    hub.book(hub.member(OTHER_UID), HALL)
    assert [hub.reason(UID, door) for door in (FRONT, INNER)] == ["booked", "booked"]
    assert hub.reason(OTHER_UID, FRONT) == "booked"
    answer = hub.ask(hub.device.tap(OTHER_UID, INNER))
    assert (answer.reason, answer.detail) == ("wrong_place", {"where": "dorf-hall"})


@pytest.mark.parametrize(("opening", "reason"), [(OFFICE, "booked"), (CLOSED_NOW, "too_late")])
def test_a_whole_day_means_that_days_opening_hours(
    hub: World, opening: dict[str, Any], reason: str
) -> None:
    hub.set(models.Site, "dorf", opening=opening)
    day = {"start": MIDNIGHT, "end": MIDNIGHT + 24 * HOUR_MS, "whole_day": True}
    hub.book(hub.member(), **day, date="2026-09-21")
    assert hub.reason() == reason


def test_a_whole_day_on_a_closed_day_opens_nothing(hub: World) -> None:
    hub.set(models.Site, "dorf", opening={"tue": ["08:00-20:00"]})
    day = {"start": MIDNIGHT, "end": MIDNIGHT + 24 * HOUR_MS, "whole_day": True}
    hub.book(hub.member(), **day, date="2026-09-21")
    assert hub.reason() == "no_booking"


# --- standing rights ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        ({}, "entitled"),
        ({"room_id": HALL}, "entitled"),
        ({"room_id": STUDIO}, "entitled"),
        ({"end": NOW}, "too_late"),
        ({"start": NOW + 1}, "too_early"),
        ({"schedule": OFFICE}, "entitled"),
        ({"schedule": CLOSED_NOW}, "too_late"),
        ({"schedule": {}}, "no_booking"),
    ],
)
def test_a_standing_right(hub: World, right: dict[str, Any], reason: str) -> None:
    hub.entitle(hub.member(), **right)
    assert hub.reason() == reason


def test_a_standing_right_without_hours_of_its_own_keeps_the_sites(hub: World) -> None:
    hub.entitle(hub.member())
    hub.set(models.Site, "dorf", opening=CLOSED_NOW)
    assert hub.reason() == "too_late"


def test_reserved_places_are_kept_from_standing_rights(hub: World) -> None:
    hub.set(models.Room, "dorf-studio", reserve=1)
    hub.entitle(hub.member("04AAAAAAAAAA00"))
    hub.entitle(hub.member())
    assert hub.reason(UID, INNER) == "entitled"
    walk_in(hub, "04AAAAAAAAAA00", INNER)
    assert hub.reason(UID, INNER) == "room_full"
    hub.book(hub.member(OTHER_UID), STUDIO)
    assert hub.reason(OTHER_UID, INNER) == "booked"


def test_after_the_daily_reset_nobody_counts_as_inside(hub: World) -> None:
    hub.set(models.Door, INNER, anti_passback="deny", reads_both_sides=True)
    hub.set(models.Room, "dorf-studio", capacity=1)
    hub.entitle(hub.member())
    hub.entitle(hub.member(OTHER_UID))
    walk_in(hub, UID, INNER)
    assert (hub.reason(UID, INNER), hub.reason(OTHER_UID, INNER)) == ("already_inside", "room_full")
    hub.now = FOUR_O_CLOCK - 1
    assert (hub.reason(UID, INNER), hub.reason(OTHER_UID, INNER)) == ("already_inside", "room_full")
    hub.now = FOUR_O_CLOCK
    assert (hub.reason(UID, INNER), hub.reason(OTHER_UID, INNER)) == ("entitled", "entitled")


def test_a_full_room_turns_away_standing_rights_but_no_booking(hub: World) -> None:
    for number in range(2):
        uid = f"04AAAAAAAAAA{number:02X}"
        hub.entitle(hub.member(uid))
        walk_in(hub, uid, INNER)
    hub.entitle(hub.member())
    hub.book(hub.member(OTHER_UID), STUDIO)
    assert hub.reason(UID, INNER) == "room_full"
    assert hub.reason(UID, FRONT) == "entitled"
    assert hub.reason(OTHER_UID, INNER) == "booked"
    assert hub.reason(UID, INNER, side=Side.OUT) == "entitled"
    walk_in(hub, "04AAAAAAAAAA00", INNER, Side.OUT)
    assert hub.reason(UID, INNER) == "entitled"


# --- the door, the site ------------------------------------------------------------------


def test_another_devices_door_is_unknown_here_and_named_in_the_record(hub: World) -> None:
    hub.book(hub.member())
    assert hub.reason(door=BACK) == hub.reason(door="dorf-attic") == "door_unknown"
    assert [(row["door_id"], row["detail"]) for row in hub.rows(models.AccessEvent)] == [
        (None, {"door": BACK}),
        (None, {"door": "dorf-attic"}),
    ]


def test_a_closure_beats_a_booking_and_a_keyholder_beats_a_closure(hub: World) -> None:
    hub.book(hub.member())
    hub.add(models.Closure, site_id=1, start=NOW - 1, end=NOW + HOUR_MS)
    answer = hub.ask(hub.device.tap())
    assert (answer.reason, answer.detail) == ("closed", {"until": NOW + HOUR_MS})
    hub.add(models.Keyholder, site_id=1, badge_id=1)
    assert hub.reason() == "keyholder"


def test_modes(hub: World) -> None:
    hub.badge(override_lockdown=True)
    hub.add(models.Keyholder, site_id=1, badge_id=1)
    hub.set(models.Door, FRONT, free_passage=True)
    free = hub.add(models.DoorMode, door_id=1, kind="free_passage", start=NOW - 1)
    assert hub.reason(OTHER_UID) == "free_passage"
    hub.add(models.DoorMode, door_id=1, kind="lockdown", start=NOW - 1, end=NOW + 1)
    assert (hub.reason(OTHER_UID), hub.reason()) == ("lockdown", "keyholder")
    hub.set_id(models.DoorMode, free, end=NOW)
    assert hub.reason() == "keyholder"
    hub.now = NOW + 1
    assert hub.reason(OTHER_UID) == "badge_unknown"


def test_a_container_in_transit_is_closed(hub: World) -> None:
    hub.set(models.Site, "dorf", kind="container")
    hub.book(hub.member())
    assert hub.reason() == "closed"
    hub.add(models.Placement, site_id=1, municipality_id=1, start=NOW - HOUR_MS)
    assert hub.reason() == "booked"


@pytest.mark.parametrize(
    ("rule", "sides", "reason", "flags"),
    [
        ("off", True, "booked", None),
        ("flag", True, "booked", ["already_inside"]),
        ("deny", True, "already_inside", None),
        ("deny", False, "booked", ["already_inside"]),
    ],
)
def test_anti_passback(
    hub: World, rule: str, sides: bool, reason: str, flags: list[str] | None
) -> None:
    hub.set(models.Door, FRONT, anti_passback=rule, reads_both_sides=sides)
    hub.book(hub.member())
    walk_in(hub)
    assert hub.reason() == reason
    last = hub.rows(models.AccessEvent)[-1]
    assert last["flags"] == flags
    assert last["state"]["inside"] == (None if rule == "off" else True)
    walk_in(hub, side=Side.OUT)
    assert hub.reason() == "booked"
