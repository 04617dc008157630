"""Case 10: lead and grace to the millisecond, and a site that changes them.

The instants are passed in; that edits of a booking reach real doors is the bookings' own case.
"""

from __future__ import annotations

import pytest
from tests.acceptance.rig.dated import House
from tests.hub.intake_world import BACK, FRONT, HALL, INNER, NOW, STUDIO

from kokubus_hub import models

MINUTE_MS = 60_000
START, END = NOW, NOW + 120 * MINUTE_MS
LEAD = GRACE = 15 * MINUTE_MS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("instant", "reason"),
    [
        (START - LEAD - 1_000, "too_early"),
        (START - LEAD - 1, "too_early"),
        (START - LEAD, "booked"),
        (END + GRACE - 1_000, "booked"),
        (END + GRACE - 1, "booked"),
        (END + GRACE, "too_late"),
    ],
)
def test_the_edges_of_a_booking(dated: House, instant: int, reason: str) -> None:
    dated.hub.book(dated.hub.member(), STUDIO, START, end=END)
    assert dated.answer(instant, INNER) == reason
    assert dated.answer(instant, FRONT) == reason  # on the way, through the hall
    assert dated.answer(instant, BACK) == reason


def test_a_site_that_changes_its_lead_and_grace(dated: House) -> None:
    dated.hub.book(dated.hub.member(), HALL, START, end=END)
    late, early = END + 20 * MINUTE_MS, START - 20 * MINUTE_MS
    assert (dated.answer(early, FRONT), dated.answer(late, FRONT)) == ("too_early", "too_late")
    dated.hub.set(models.Site, "dorf", grace_ms=21 * MINUTE_MS)
    assert (dated.answer(early, FRONT), dated.answer(late, FRONT)) == ("too_early", "booked")
    dated.hub.set(models.Site, "dorf", lead_ms=21 * MINUTE_MS, grace_ms=0)
    assert (dated.answer(early, FRONT), dated.answer(late, FRONT)) == ("booked", "too_late")
    assert dated.answer(END, FRONT) == "too_late"
    assert dated.answer(END - 1, BACK) == "booked"
