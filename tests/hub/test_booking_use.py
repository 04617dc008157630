"""Check-in by the first tap; bookings that nobody uses any more are left to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.hub.policy_world import HOUR_MS, NOW, UID, World, world
from tests.hub.small_hub import rows

from kokubus.occupancy import Belief
from kokubus_hub import database, models, places
from kokubus_hub.bookings import service
from kokubus_hub.bookings.arrivals import Arrivals
from kokubus_hub.bookings.releasing import Releasing

MINUTE_MS = 60_000
HALL, DESKS, FRONT, INNER = 1, 2, 1, 2
START, END = NOW, NOW + 3 * HOUR_MS
OTHER = "04B3C6CAE26181"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.set(models.Site, 1, no_show_ms=20 * MINUTE_MS, early_end_ms=10 * MINUTE_MS)
        for door in (FRONT, INNER):
            made.set(models.Device, door, online=True, status_at=NOW - 24 * HOUR_MS)
            made.set(models.Door, door, reads_both_sides=True, free_passage=True)
        made.member(UID)
        made.book(1, START, END, room=DESKS, changed_at=NOW - 24 * HOUR_MS)
        yield made


def came(
    hub: World, door: int, at: int, member: int = 1, side: str = "in", *, granted: bool = True
) -> None:
    """A tap, what the door did about it, and somebody walking through."""
    number = len(rows(hub.engine, models.AccessEvent)) + 1
    tap = {"tap": f"tap-{number}", "at": at, "received_at": at}
    device = {"device_id": door, "door_id": door, "epoch": "e", "seq": number, "boot": "b"}
    about = {"uptime_ms": 1, "clock": "synced", "side": side, "member_id": member}
    hub.add(models.AccessEvent, **tap, **device, **about, badge_id=member)
    done = {"door_id": door, "by": "edge", "granted": granted, "reason": "booked"}
    hub.add(models.Enforcement, **tap, **done)
    if granted:
        walked = {"door_id": door, "at": at, "received_at": at, "side": side, "tap": tap["tap"]}
        hub.add(models.Passage, **walked, member_id=member)


def presence(hub: World, at: int, *, inside: bool, badge: int = 1) -> None:
    hub.add(models.Presence, badge_id=badge, room_id=DESKS, inside=inside, at=at)


def times(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def booking(hub: World, number: int = 0) -> dict[str, Any]:
    return rows(hub.engine, models.Booking)[number]


def after(hub: World, minutes: float) -> dict[str, Any]:
    """The booking, once arrivals and releases were looked at so long after its start."""
    now = START + int(minutes * MINUTE_MS)
    Arrivals(hub.engine).follow(now)
    Releasing(hub.engine).look(now)
    return booking(hub)


def test_the_first_entry_checks_in(hub: World) -> None:
    came(hub, FRONT, START - 10 * MINUTE_MS)
    came(hub, INNER, START + MINUTE_MS)
    assert after(hub, 2)["checked_in_at"] == START - 10 * MINUTE_MS
    assert after(hub, 60)["status"] == "confirmed"


def test_what_comes_in_late_counts_by_its_own_time(hub: World) -> None:
    came(hub, INNER, START + 5 * MINUTE_MS)
    assert after(hub, 6)["checked_in_at"] == START + 5 * MINUTE_MS
    came(hub, FRONT, START + 4 * MINUTE_MS)
    assert after(hub, 30)["checked_in_at"] == START + 4 * MINUTE_MS


@pytest.mark.parametrize(
    "how",
    [
        {"at": START - 16 * MINUTE_MS},
        {"at": END + 15 * MINUTE_MS},
        {"at": START, "granted": False},
        {"at": START, "side": "out"},
        {"at": START, "member": 2},
    ],
)
def test_what_is_no_check_in(hub: World, how: dict[str, Any]) -> None:
    hub.member(OTHER)
    came(hub, INNER, **how)
    assert after(hub, 1)["checked_in_at"] is None


def test_a_companion_checks_in_too(hub: World) -> None:
    hub.add(models.BookingHolder, booking_id=1, member_id=hub.member(OTHER))
    came(hub, INNER, START, member=2)
    assert after(hub, 1)["checked_in_at"] == START


def test_to_which_nobody_came_is_released(hub: World) -> None:
    assert after(hub, 19.9)["status"] == "confirmed"
    released = after(hub, 20)
    assert released["status"] == "no_show"
    assert released["change_id"] == rows(hub.engine, models.Change)[-1]["id"]
    assert not hub.decide("dorf-inner", now=START + 21 * MINUTE_MS).granted
    assert [row["change_id"] for row in rows(hub.engine, models.BookingDelivery)] == [
        released["change_id"]
    ] * 2


def crowd(hub: World, *chances: float) -> None:
    with database.reading(hub.engine) as connection:
        model = places.load(connection, 0).rooms[DESKS].model
    posterior = (*chances, *([0.0] * (model.places + 1 - len(chances))))
    now = START + 25 * MINUTE_MS
    hub.add(models.Belief, room_id=DESKS, at=now, state=Belief(now, posterior).to_json())


KEPT: dict[str, Callable[[World], object]] = {
    "off by default": lambda hub: hub.set(models.Site, 1, no_show_ms=None),
    "whole day": lambda hub: hub.set(models.Booking, 1, whole_day=True, date="2026-09-21"),
    "event": lambda hub: hub.set(models.Booking, 1, kind="event"),
    "nobody's": lambda hub: hub.set(models.Booking, 1, member_id=None),
    "a door is away": lambda hub: hub.set(models.Device, FRONT, online=False),
    "a door was away": lambda hub: hub.set(models.Device, INNER, status_at=START),
    "a door without device": lambda hub: hub.set(models.Door, INNER, device_id=None),
    "free passage": lambda hub: hub.add(
        models.DoorMode, door_id=FRONT, kind="free_passage", start=START, end=START + 1
    ),
    "free passage of the site": lambda hub: hub.add(
        models.DoorMode, site_id=1, kind="free_passage", start=START - HOUR_MS
    ),
    "somebody without a badge": lambda hub: hub.add(
        models.Passage, door_id=FRONT, at=START, received_at=START
    ),
    "somebody is probably there": lambda hub: crowd(hub, 0.3, 0.7),
    "came before, and is still inside": lambda hub: presence(hub, START - 2 * HOUR_MS, inside=True),
    "is inside a pool that nobody else is in": lambda hub: (
        hub.set(models.Room, DESKS, desks=8),
        presence(hub, START - 2 * HOUR_MS, inside=True),
        crowd(hub, 0.0, 1.0),
    ),
    "was denied at the door": lambda hub: came(hub, FRONT, START, granted=False),
    "was moved a moment ago": lambda hub: hub.set(
        models.Booking, 1, changed_at=START + 10 * MINUTE_MS
    ),
}


@pytest.mark.parametrize("why", KEPT)
def test_what_is_never_released(hub: World, why: str) -> None:
    KEPT[why](hub)
    assert after(hub, 25)["status"] == "confirmed"


def test_probably_empty_is_released(hub: World) -> None:
    crowd(hub, 0.7, 0.3)
    assert after(hub, 25)["status"] == "no_show"


def test_it_ends_once_the_last_has_left(hub: World) -> None:
    hub.add(models.BookingHolder, booking_id=1, member_id=hub.member(OTHER))
    came(hub, INNER, START)
    presence(hub, START + 30 * MINUTE_MS, inside=False)
    presence(hub, START + 20 * MINUTE_MS, inside=True, badge=2)
    assert after(hub, 60)["end"] == END
    hub.set(models.Presence, 2, inside=False, at=START + 50 * MINUTE_MS)
    assert after(hub, 59)["end"] == END
    ended = after(hub, 60)
    assert (ended["end"], ended["planned_end"]) == (START + 60 * MINUTE_MS, END)
    assert hub.decide("dorf-inner", now=START + 74 * MINUTE_MS).granted
    assert not hub.decide("dorf-inner", now=START + 75 * MINUTE_MS).granted
    (claim,) = rows(hub.engine, models.Claim)
    assert claim["end"] == START + 60 * MINUTE_MS


def test_one_that_was_moved_on_is_begun_anew(hub: World) -> None:
    """Its people left what it was before; to what it is now nobody has come yet."""
    came(hub, INNER, START)
    presence(hub, START + MINUTE_MS, inside=False)
    assert after(hub, 5)["checked_in_at"] == START
    with database.writing(hub.engine) as connection:
        held = service.wanted_of(connection, service.by_id(connection, 1))
        later = (times(START + 4 * HOUR_MS), times(END + 4 * HOUR_MS))
        service.change(connection, 1, replace(held, span=later), START + 6 * MINUTE_MS)
    assert booking(hub)["checked_in_at"] is None
    waiting = after(hub, 4 * 60 + 15)
    assert (waiting["status"], waiting["end"]) == ("confirmed", END + 4 * HOUR_MS)
    assert after(hub, 4 * 60 + 20)["status"] == "no_show"


def test_one_that_is_extended_stays_checked_in(hub: World) -> None:
    came(hub, INNER, START - 10 * MINUTE_MS)
    after(hub, 5)
    with database.writing(hub.engine) as connection:
        held = service.wanted_of(connection, service.by_id(connection, 1))
        longer = (times(START), times(END + HOUR_MS))
        service.change(connection, 1, replace(held, span=longer), START + 6 * MINUTE_MS)
    assert booking(hub)["checked_in_at"] == START - 10 * MINUTE_MS


LASTING: dict[str, Callable[[World], object]] = {
    "off by default": lambda hub: hub.set(models.Site, 1, early_end_ms=None),
    "whole day": lambda hub: hub.set(models.Booking, 1, whole_day=True, date="2026-09-21"),
    "one reader": lambda hub: hub.set(models.Door, INNER, reads_both_sides=False),
    "a door is away": lambda hub: hub.set(models.Device, FRONT, online=False),
    "somebody is probably there": lambda hub: crowd(hub, 0.1, 0.9),
    "free passage": lambda hub: hub.add(
        models.DoorMode, door_id=INNER, kind="free_passage", start=START
    ),
}


@pytest.mark.parametrize("why", LASTING)
def test_what_does_not_end_early(hub: World, why: str) -> None:
    came(hub, INNER, START)
    presence(hub, START + MINUTE_MS, inside=False)
    LASTING[why](hub)
    assert after(hub, 25)["end"] == END
