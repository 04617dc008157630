"""Case 10: a booking is cancelled, extended, moved, shortened, given another room.

Every door on the way follows, and the old window is closed: as the hub answers and as the
doors' own policies say, on either database.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.acceptance.rig.dated import House
from tests.hub.intake_world import BACK, FRONT, INNER, NOW

from kokubus_hub import database, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted

MINUTE_MS = 60_000
START, END = NOW, NOW + 120 * MINUTE_MS
LEAD = GRACE = 15 * MINUTE_MS
STUDIO, HALL = "dorf-studio", "dorf-hall"
WAY = (FRONT, BACK, INNER)

pytestmark = pytest.mark.slow


def time(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def booked(house: House) -> int:
    """The studio, by whoever has the badge."""
    member = house.hub.member()
    slug = next(row["slug"] for row in house.hub.rows(models.Member) if row["id"] == member)
    wanted = Wanted(room=STUDIO, member=slug, span=(time(START), time(END)))
    with database.writing(house.hub.engine) as connection:
        return int(service.make(connection, wanted, START - LEAD).id)


def change(house: House, booking: int, now: int, **what: Any) -> None:
    with database.writing(house.hub.engine) as connection:
        held = service.wanted_of(connection, service.by_id(connection, booking))
        service.change(connection, booking, replace(held, **what), now)


def all_say(house: House, instant: int, reason: str) -> None:
    assert {door: house.answer(instant, door) for door in WAY} == dict.fromkeys(WAY, reason)


def test_cancelled_before_entry(dated: House) -> None:
    booking = booked(dated)
    all_say(dated, START - MINUTE_MS, "booked")
    with database.writing(dated.hub.engine) as connection:
        service.cancel(connection, booking, START - MINUTE_MS)
    for instant in (START - MINUTE_MS + 1, START, END - 1):
        all_say(dated, instant, "no_booking")


def test_extended_while_inside(dated: House) -> None:
    booking = booked(dated)
    all_say(dated, START + MINUTE_MS, "booked")
    change(dated, booking, END - MINUTE_MS, span=(time(START), time(END + 60 * MINUTE_MS)))
    all_say(dated, END + 60 * MINUTE_MS + GRACE - 1, "booked")
    all_say(dated, END + 60 * MINUTE_MS + GRACE, "too_late")


def test_shortened_while_inside(dated: House) -> None:
    booking = booked(dated)
    sooner = START + 30 * MINUTE_MS
    change(dated, booking, START + 20 * MINUTE_MS, span=(time(START), time(sooner)))
    all_say(dated, sooner + GRACE - 1, "booked")
    all_say(dated, sooner + GRACE, "too_late")


def test_moved_earlier(dated: House) -> None:
    booking = booked(dated)
    first, last = START - 180 * MINUTE_MS, END - 180 * MINUTE_MS
    change(dated, booking, first - 60 * MINUTE_MS, span=(time(first), time(last)))
    all_say(dated, first - LEAD - 1, "too_early")
    all_say(dated, first - LEAD, "booked")
    all_say(dated, last + GRACE, "too_late")
    all_say(dated, START + MINUTE_MS, "too_late")


def test_given_another_room(dated: House) -> None:
    booking = booked(dated)
    change(dated, booking, START - MINUTE_MS, room=HALL)
    assert dated.answer(START, FRONT) == dated.answer(START, BACK) == "booked"
    assert dated.answer(START, INNER) == "wrong_place"
    change(dated, booking, START - MINUTE_MS, room=STUDIO)
    all_say(dated, START, "booked")


def test_what_is_owed_to_each_door_is_kept(dated: House) -> None:
    """Waiting until the door has said so; after a change of room for the old door too."""
    booking = booked(dated)
    change(dated, booking, START - MINUTE_MS, room=HALL)
    kept = dated.hub.rows(models.BookingDelivery)
    assert [row["door_id"] for row in kept] == [1, 2, 3]
    newest = dated.hub.rows(models.Booking)[0]["change_id"]
    assert {(row["state"], row["change_id"]) for row in kept} == {("waiting", newest)}
    assert {row["door_id"]: row["due"] for row in kept} == {1: START, 2: 0, 3: START}
