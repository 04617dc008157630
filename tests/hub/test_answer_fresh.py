"""Whatever changes is known to the very next tap, and nothing is read twice without need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.hub.intake_world import (
    AIR,
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

from kokubus_hub import models, store


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_a_booking_made_by_another_process_opens_for_the_very_next_tap(hub: World) -> None:
    other = World(hub.engine, hub.keyring)
    member = hub.member()
    assert hub.reason() == "no_booking"
    booking = other.book(member)
    assert hub.reason() == "booked"
    other.set_id(models.Booking, booking, status="cancelled")
    assert hub.reason() == "no_booking"
    other.entitle(member)
    assert hub.reason() == "entitled"
    other.set(models.Member, "m-cae26180", status="suspended")
    assert hub.reason() == "member_suspended"
    other.set_id(models.Badge, 1, status="blocked")
    assert hub.reason() == "badge_blocked"


def test_a_badge_enrolled_after_its_first_tap_is_known(hub: World) -> None:
    assert hub.reason() == "badge_unknown"
    hub.book(hub.member())
    assert hub.reason() == "booked"


def test_a_new_door_a_revoked_device_and_other_hours_count_at_once(hub: World) -> None:
    hub.entitle(hub.member())
    assert hub.reason(door="dorf-side") == "door_unknown"
    hub.add(models.Door, site_id=1, device_id=1, room_id=HALL, slug="dorf-side", name="Side")
    assert hub.reason(door="dorf-side") == "entitled"
    hub.set(models.Device, "dorf-1", revoked_at=NOW)
    assert hub.take(hub.device.tap()) == []


def test_what_is_held_is_read_again_after_an_hour(hub: World) -> None:
    """Bookings are looked up a week ahead; nobody may have changed anything for longer."""
    hub.book(hub.member(), start=NOW + 8 * 24 * HOUR_MS)
    assert hub.reason() == "no_booking"
    hub.now = NOW + 8 * 24 * HOUR_MS
    assert hub.reason() == "booked"


def test_a_tap_of_a_known_badge_reads_no_rights_again(hub: World) -> None:
    hub.book(hub.member())
    hub.reason()
    asked: list[str] = []
    event.listen(hub.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    hub.reason()
    assert [sql for sql in asked if "FROM booking" in sql or "FROM badge" in sql] == []
    assert [sql.split()[0] for sql in asked] == ["BEGIN", "SELECT", "INSERT", "UPDATE"]


def test_many_strangers_push_nobody_out_in_the_middle_of_a_batch(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "HELD_MOST", 1)
    hub.book(hub.member())
    hub.reason()
    hub.reason(OTHER_UID)
    taps = [hub.device.tap(), hub.device.tap("04BBBBBBBBBBBB"), hub.device.read(AIR, 1.0)]
    answers = hub.heard(hub.take(*taps))
    assert [answer.reason for answer in answers[:2]] == ["booked", "badge_unknown"]
    assert hub.rows(models.DeadLetter) == []
    assert not [entry for entry in hub.logs if entry["log_level"] == "error"]


def test_one_batch_answers_each_tap_by_its_own_rights(hub: World) -> None:
    hub.book(hub.member(), STUDIO)
    hub.entitle(hub.member(OTHER_UID), room_id=HALL)
    asked = [(UID, INNER), (OTHER_UID, FRONT), (OTHER_UID, INNER), ("04CCCCCCCCCCCC", FRONT)]
    answers = hub.heard(hub.take(*[hub.device.tap(*pair) for pair in asked]))
    assert hub.rows(models.DeadLetter) == []
    assert [answer.reason for answer in answers] == [
        "booked", "entitled", "wrong_place", "badge_unknown",
    ]  # fmt: skip
