"""Case 16: a booking of kind event is free passage at all its doors, on either database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.acceptance.rig.dated import House
from tests.hub import intake_world
from tests.hub.intake_world import BACK, NOW

from kokubus_hub import database, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted

HOUR_MS = 3_600_000
STRANGER = "1E034A5B"

pytestmark = pytest.mark.slow


def test_free_passage_is_for_the_events_time_only(dated: House) -> None:
    """Without lead and grace; for whoever taps, and every tap is recorded."""
    for door in (intake_world.FRONT, intake_world.INNER, BACK):
        dated.hub.set(models.Door, door, free_passage=True)
    dated.hub.member()
    slug = dated.hub.rows(models.Member)[0]["slug"]
    span = (time(NOW + HOUR_MS), time(NOW + 2 * HOUR_MS))
    wanted = Wanted(room="dorf-hall", member=slug, span=span, kind="event")
    with database.writing(dated.hub.engine) as connection:
        booking = service.make(connection, wanted, NOW).id
    start, end = NOW + HOUR_MS, NOW + 2 * HOUR_MS
    for door in (intake_world.FRONT, BACK):
        assert dated.answers(start - 1, door, STRANGER) == ("badge_unknown", "badge_unknown")
        assert dated.answers(start, door, STRANGER) == ("free_passage", "free_passage")
        assert dated.answers(end - 1, door, STRANGER) == ("free_passage", "free_passage")
        assert dated.answers(end, door, STRANGER) == ("badge_unknown", "badge_unknown")
    assert dated.answers(start, intake_world.INNER, STRANGER)[0] == "badge_unknown"
    taps = dated.hub.rows(models.AccessEvent)
    assert [row["granted"] for row in taps].count(True) == 4
    assert len(taps) == 9
    with database.writing(dated.hub.engine) as connection:
        service.cancel(connection, booking, start + 1)
    assert dated.answers(start + 2, BACK, STRANGER) == ("badge_unknown", "badge_unknown")


def time(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
