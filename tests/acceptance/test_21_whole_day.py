"""Case 21: a booking of a whole day is that day's opening hours, and a closure beats it."""

from __future__ import annotations

import pytest
from tests.acceptance.rig.dated import House, at
from tests.hub.intake_world import BACK, FRONT, HALL, UID

from kokubus.messages import Side
from kokubus_hub import database, models
from kokubus_hub.sites import closures
from kokubus_hub.sites.closures import Wanted

HOURS = {day: ["08:00-20:00"] for day in ("mon", "tue", "wed", "thu", "fri")} | {"holiday": []}
MONDAY = {"whole_day": True, "date": "2026-09-21"}

pytestmark = pytest.mark.slow


@pytest.fixture
def booked(dated: House) -> House:
    """Somebody has the hall on Monday, 21 September 2026."""
    dated.hub.set(models.Site, "dorf", opening=HOURS)
    start, end = at("2026-09-21 00:00"), at("2026-09-22 00:00")
    dated.hub.book(dated.hub.member(), HALL, start, end=end, **MONDAY)
    return dated


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("2026-09-21 02:00", "too_early"),
        ("2026-09-21 07:59", "too_early"),  # a whole day has no lead
        ("2026-09-21 08:00", "booked"),
        ("2026-09-21 19:59", "booked"),
        ("2026-09-21 20:00", "too_late"),
    ],
)
def test_the_opening_hours_of_that_day(booked: House, when: str, reason: str) -> None:
    assert booked.answer(when, FRONT) == reason
    assert booked.answer(when, BACK) == reason


def test_in_and_out_all_day(booked: House) -> None:
    for when in ("08:10", "09:30", "12:00", "13:00", "19:00"):
        for side in (Side.IN, Side.OUT):
            assert booked.answer(f"2026-09-21 {when}", FRONT, UID, side) == "booked"


def test_a_closure_that_day(booked: House) -> None:
    booked.hub.now = at("2026-09-20 12:00")
    wanted = Wanted(
        site="dorf",
        start=at("2026-09-21 12:00"),
        end=at("2026-09-21 18:00"),
        reason="Wasserschaden",
        confirmed=True,
    )
    with database.writing(booked.hub.engine) as connection:
        assert len(closures.hits(connection, 1, wanted.start, wanted.end)) == 1
        closures.make(connection, wanted, booked.hub.now, None)
    assert booked.answer("2026-09-21 11:59", FRONT) == "booked"
    assert booked.answer("2026-09-21 12:00", FRONT) == "closed"
    assert booked.answer("2026-09-21 17:59", BACK) == "closed"
    assert booked.answer("2026-09-21 18:00", FRONT) == "booked"


def test_a_day_on_which_the_place_is_closed_opens_nothing(dated: House) -> None:
    dated.hub.set(models.Site, "dorf", opening=HOURS)
    start, end = at("2026-06-04 00:00"), at("2026-06-05 00:00")  # Fronleichnam
    day = {"whole_day": True, "date": "2026-06-04"}
    dated.hub.book(dated.hub.member(), HALL, start, end=end, **day)
    assert dated.answer("2026-06-04 10:00", FRONT) == "no_booking"
