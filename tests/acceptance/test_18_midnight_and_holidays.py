"""Case 18: hours that cross midnight, and Fronleichnam in Baden-Württemberg.

Fronleichnam 2026 is Thursday, 4 June; the evening before belongs to Wednesday.
"""

from __future__ import annotations

import pytest
from tests.acceptance.rig.dated import House
from tests.hub.intake_world import FRONT

from kokubus_hub import models

LATE = {"wed": ["18:00-02:00"], "thu": ["18:00-02:00"], "fri": ["18:00-02:00"]}

pytestmark = pytest.mark.slow


@pytest.fixture
def evenings(dated: House) -> House:
    """Somebody with a standing right to the opening hours."""
    dated.hub.set(models.Site, "dorf", opening=LATE)
    dated.hub.entitle(dated.hub.member())
    return dated


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("2026-06-10 17:59", "too_early"),
        ("2026-06-10 18:00", "entitled"),
        ("2026-06-10 23:59", "entitled"),
        ("2026-06-11 00:00", "entitled"),
        ("2026-06-11 01:59", "entitled"),
        ("2026-06-11 02:00", "too_late"),
        ("2026-06-13 01:59", "entitled"),  # Saturday, by Friday's hours
        ("2026-06-13 18:30", "too_late"),
    ],
)
def test_both_sides_of_midnight(evenings: House, when: str, reason: str) -> None:
    assert evenings.answer(when, FRONT) == reason


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("2026-06-03 23:59", "entitled"),
        ("2026-06-04 01:59", "entitled"),  # Wednesday's hours run into the holiday
        ("2026-06-04 02:00", "too_late"),
        ("2026-06-04 11:00", "entitled"),
        ("2026-06-04 12:00", "too_late"),
        ("2026-06-04 19:00", "too_late"),  # a Thursday's evening, were it no holiday
        ("2026-06-05 00:30", "too_late"),
        ("2026-06-05 18:00", "entitled"),
    ],
)
def test_fronleichnam(evenings: House, when: str, reason: str) -> None:
    evenings.hub.set(models.Site, "dorf", opening=LATE | {"holiday": ["10:00-12:00"]})
    assert evenings.answer(when, FRONT) == reason


def test_a_place_that_closes_on_holidays(evenings: House) -> None:
    evenings.hub.set(models.Site, "dorf", opening=LATE | {"holiday": []})
    assert evenings.answer("2026-06-04 19:00", FRONT) != "entitled"
    assert evenings.answer("2026-06-11 19:00", FRONT) == "entitled"


def test_a_date_of_its_own_is_stronger_than_the_holiday(evenings: House) -> None:
    opening = LATE | {"holiday": [], "2026-06-04": ["20:00-21:00"]}
    evenings.hub.set(models.Site, "dorf", opening=opening)
    assert evenings.answer("2026-06-04 20:30", FRONT) == "entitled"
    assert evenings.answer("2026-06-04 19:30", FRONT) == "too_early"
