"""What a device has to know: its doors' rights, under its own lookups, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from tests.hub.policy_world import DAY_MS, HORIZON_MS, HOUR_MS, NOW, OPENING, UID, World, world
from tests.trying import examples

from kokubus import credential, policy, wire
from kokubus.credential import Credential
from kokubus.decision import Reason
from kokubus_hub import database, models, policies
from kokubus_hub.policies import BACK_MS, Known, NoPolicyError, build_all

OTHER = "04B1B2C3D4E580"
DAY_AND_NIGHT = {day: ["00:00-24:00"] for day in (*OPENING, "sat", "sun")}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def lookup(hub: World, uid: str = UID) -> str:
    return credential.lookup(Credential("mfrc522", uid).text, hub.key)


def test_a_booking_opens_every_door_on_the_way(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS, room=2)
    for door in ("dorf-front", "dorf-inner"):
        assert hub.decide(door).reason is Reason.BOOKED


def test_a_booking_of_the_hall_opens_no_door_behind_it(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS, room=1)
    assert hub.decide("dorf-front").granted
    assert not hub.decide("dorf-inner").granted
    assert hub.document(2)["badges"] == {}, "a stolen device reveals no badge it does not need"


def test_lead_and_grace_are_the_sites(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    asked = {
        NOW - 900_001: Reason.TOO_EARLY,
        NOW - 900_000: Reason.BOOKED,
        NOW + HOUR_MS + 899_999: Reason.BOOKED,
        NOW + HOUR_MS + 900_000: Reason.TOO_LATE,
    }
    assert {at: hub.decide("dorf-front", now=at).reason for at in asked} == asked


def test_a_cancelled_booking_is_no_right(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS, status="cancelled")
    assert hub.document(1)["rights"] == {}


def test_another_sites_bookings_stay_there(hub: World) -> None:
    hub.add(models.Site, slug="stadt", name="Stadt", opening={})
    room = hub.add(models.Room, site_id=2, slug="stadt-hall", name="", capacity=4)
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS, room=room)
    assert (hub.document(1)["rights"], hub.document(1)["badges"]) == ({}, {})


def test_a_blocked_badge_and_a_suspended_member_are_said_so(hub: World) -> None:
    first, second = hub.member(UID), hub.member(OTHER, status="suspended")
    for member in (first, second):
        hub.book(member, NOW, NOW + HOUR_MS)
    hub.set(models.Badge, 1, status="lost")
    assert hub.decide("dorf-front").reason is Reason.BADGE_BLOCKED
    assert hub.decide("dorf-front", OTHER).reason is Reason.MEMBER_SUSPENDED


def test_a_standing_right_holds_in_opening_hours_or_in_its_own(hub: World) -> None:
    member, night = hub.member(UID), NOW + 8 * HOUR_MS  # just after midnight
    row = hub.add(models.Entitlement, member_id=member, site_id=1)
    assert hub.decide("dorf-inner").reason is Reason.ENTITLED
    assert not hub.decide("dorf-inner", now=night).granted
    hub.set(models.Entitlement, row, schedule={"tue": ["00:00-01:00"]})
    assert not hub.decide("dorf-inner").granted
    assert hub.decide("dorf-inner", now=night).reason is Reason.ENTITLED


def test_day_and_night_without_an_end_survives_a_clock_nobody_trusts(hub: World) -> None:
    hub.add(
        models.Entitlement, member_id=hub.member(UID), site_id=1, room_id=1, schedule=DAY_AND_NIGHT
    )
    (right,) = hub.document(1)["rights"].values()
    assert right.keys() == {"member", "rooms", "kind"}
    assert hub.document(2)["rights"] == {}, "it is a right to the hall"


def test_a_keyholder_opens_the_devices_doors_without_any_right(hub: World) -> None:
    hub.member(UID)
    hub.add(models.Keyholder, site_id=1, badge_id=1)
    assert hub.document(2)["badges"][lookup(hub)]["keyholder"] == ["dorf-inner"]
    assert hub.decide("dorf-inner").reason is Reason.KEYHOLDER


def test_a_badge_without_a_holder_can_hold_a_key(hub: World) -> None:
    hub.member(UID)
    hub.set(models.Badge, 1, member_id=None)
    hub.add(models.Keyholder, site_id=1, badge_id=1)
    assert hub.decide("dorf-front").reason is Reason.KEYHOLDER


def test_a_container_opens_only_where_it_stands(hub: World) -> None:
    hub.set(models.Site, 1, kind="container")
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    place = {"site_id": 1, "municipality_id": 1}
    hub.add(models.Placement, **place, start=NOW + DAY_MS, end=None)
    decision = hub.decide("dorf-front")
    assert (decision.reason, decision.detail) == (Reason.CLOSED, {"until": NOW + DAY_MS})
    hub.add(models.Placement, **place, start=0, end=NOW + DAY_MS)
    assert hub.decide("dorf-front").reason is Reason.BOOKED


def test_a_mode_of_the_site_or_of_the_network_is_every_doors(hub: World) -> None:
    hub.add(models.Site, slug="berg", name="Berg")
    for end, where in ((NOW + 1, {}), (NOW + 2, {"site_id": 1}), (NOW + 3, {"site_id": 2})):
        hub.add(models.DoorMode, kind="lockdown", start=NOW, end=end, **where)
    for device, door in ((1, "dorf-front"), (2, "dorf-inner")):
        modes = hub.document(device)["doors"][door]["modes"]
        assert [mode["end"] for mode in modes] == [NOW + 1, NOW + 2]


def test_modes_and_closures_that_are_over_are_left_out(hub: World) -> None:
    old, open_end = NOW - DAY_MS, NOW - 2 * DAY_MS
    hub.set(models.Door, 1, free_passage=True)
    hub.add(models.DoorMode, door_id=1, kind="lockdown", start=0, end=old)
    hub.add(models.DoorMode, door_id=1, kind="free_passage", start=open_end, end=None)
    hub.add(models.Closure, site_id=1, start=0, end=old)
    assert hub.document(1)["doors"]["dorf-front"]["modes"] == [
        {"kind": "free_passage", "start": open_end}
    ]
    assert "closures" not in hub.document(1)["doors"]["dorf-front"]


def test_only_the_horizon_is_in_it(hub: World) -> None:
    member = hub.member(UID)
    hub.book(member, NOW + HORIZON_MS + 2 * HOUR_MS, NOW + HORIZON_MS + 3 * HOUR_MS)
    hub.book(member, NOW - BACK_MS - 3 * HOUR_MS, NOW - BACK_MS - 2 * HOUR_MS)
    assert hub.document(1)["rights"] == {}
    assert len(hub.document(1, NOW + 3 * HOUR_MS)["rights"]) == 1, "time brought it in"


def test_within_an_hour_a_document_changes_only_by_what_was_changed(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.add(models.Entitlement, member_id=1, site_id=1)
    hour = NOW - NOW % HOUR_MS
    assert hub.document(1, hour) == hub.document(1, hour + HOUR_MS - 1)


def test_each_device_has_lookups_of_its_own_and_nobody_is_named(hub: World) -> None:
    hub.set(models.Device, 2, lookup_key=hub.keyring.seal(b"x" * 32, "device:dorf-2"))
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    first, second = hub.document(1)["badges"], hub.document(2)["badges"]
    assert first.keys().isdisjoint(second.keys())
    text = wire.canonical([hub.document(1), hub.document(2)]).decode()
    assert UID not in text
    assert "Somebody" not in text
    assert hub.keyring.lookup(Credential("mfrc522", UID).text) not in text


def test_remembered_lookups_are_the_computed_ones_and_forget_who_left(hub: World) -> None:
    booking = hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    known = Known(hub.keyring)

    def build() -> policy.Document:
        with database.reading(hub.engine) as connection:
            return build_all(connection, [1], NOW, HORIZON_MS, known)[1]

    assert build() == build() == hub.document(1)
    hub.book(hub.member(OTHER), NOW, NOW + HOUR_MS)
    hub.set(models.Booking, booking, status="cancelled")
    assert list(build()["badges"]) == [lookup(hub, OTHER)]


def test_a_device_enrolled_anew_has_new_lookups(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    known = Known(hub.keyring)
    with database.reading(hub.engine) as connection:
        before = build_all(connection, [1], NOW, HORIZON_MS, known)[1]["badges"]
    hub.set(models.Device, 1, lookup_key=hub.keyring.seal(b"y" * 32, "device:dorf-1"))
    with database.reading(hub.engine) as connection:
        after = build_all(connection, [1], NOW, HORIZON_MS, known)[1]["badges"]
    assert before.keys().isdisjoint(after.keys())
    assert after == hub.document(1)["badges"]


CHANGES: list[Callable[[World], object]] = [
    lambda hub: hub.book(1, NOW, NOW + HOUR_MS),
    lambda hub: hub.book(2, NOW + HOUR_MS, NOW + 2 * HOUR_MS, room=1),
    lambda hub: hub.book(1, NOW, NOW + DAY_MS, whole_day=True, date="2026-09-22"),
    lambda hub: hub.set(models.Booking, 1, end=NOW + 3 * HOUR_MS),
    lambda hub: hub.set(models.Booking, 1, room_id=1),
    lambda hub: hub.set(models.Booking, 1, member_id=2),
    lambda hub: hub.set(models.Booking, 1, whole_day=True, date="2026-09-21"),
    lambda hub: hub.set(models.Booking, 2, status="cancelled"),
    lambda hub: hub.set(models.Booking, 2, status="confirmed"),
    lambda hub: hub.set(models.Site, 1, opening={"mon": ["10:00-12:00"], "tue": ["00:00-24:00"]}),
    lambda hub: hub.set(models.Site, 1, timezone="Europe/London"),
    lambda hub: hub.set(models.Site, 1, lead_ms=0),
    lambda hub: hub.set(models.Member, 1, status="suspended"),
    lambda hub: hub.set(models.Member, 2, end=NOW + HOUR_MS),
    lambda hub: hub.set(models.Badge, 1, status="lost"),
    lambda hub: hub.set(models.Badge, 2, member_id=1),
    lambda hub: hub.set(models.Badge, 2, member_id=None),
    lambda hub: hub.add(models.Keyholder, site_id=1, badge_id=2),
    lambda hub: hub.add(models.Entitlement, member_id=2, site_id=1),
    lambda hub: hub.set(models.Door, 2, from_room_id=None),
]


@pytest.mark.slow
@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=8))
def test_what_is_remembered_never_shows(changes: list[Callable[[World], object]]) -> None:
    """Whatever is changed in whatever order, the documents are those of a fresh start."""
    with TemporaryDirectory() as folder, world(Path(folder)) as hub:
        hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
        hub.book(hub.member(OTHER), NOW, NOW + HOUR_MS, room=1)
        known = Known(hub.keyring)
        for change in changes:
            with suppress(IntegrityError):
                change(hub)
            with database.reading(hub.engine) as connection:
                built = build_all(connection, [1, 2], NOW, HORIZON_MS, known)
            assert built == {1: hub.document(1), 2: hub.document(2)}


def test_devices_that_cannot_have_a_policy(hub: World) -> None:
    hub.set(models.Device, 1, revoked_at=NOW)
    hub.set(models.Device, 2, lookup_key=None)
    for device in (1, 2, 99):
        with pytest.raises(NoPolicyError):
            hub.document(device)


def test_a_document_is_what_a_door_reads(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.add(models.Entitlement, member_id=1, site_id=1)
    hub.add(models.DoorMode, door_id=1, kind="lockdown", start=NOW + HOUR_MS, end=None)
    document = hub.document(1)
    assert policy.document_of(policy.content_of(document)) == document


def test_a_whole_network_is_the_sum_of_its_devices(hub: World) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    with database.reading(hub.engine) as connection:
        known = policies.Known(hub.keyring)
        built = build_all(connection, [1, 2, 99], NOW, HORIZON_MS, known)
    assert built == {1: hub.document(1), 2: hub.document(2)}
