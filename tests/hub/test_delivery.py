"""Policies reach the doors that a change concerns, and come again where they did not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import select, update
from tests.hub.policy_world import HORIZON_MS, HOUR_MS, NOW, UID, Broker, World, world

from kokubus import policy
from kokubus.downlinks import PolicyDelta, PolicyRenewed, PolicySnapshot
from kokubus_hub import changes, database, models
from kokubus_hub.delivery import (
    RENEW_MS,
    REPAIR_MS,
    RETRY_MS,
    SNAPSHOT_LAG_MS,
    WISH_AGAIN_MS,
    Delivery,
)
from kokubus_hub.models import table
from kokubus_hub.policies import Known
from kokubus_hub.seal import Seal

DEVICE, POLICY = table(models.Device), table(models.Policy)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def broker(hub: World) -> Broker:
    return Broker(hub.keyring)


@pytest.fixture
def delivery(hub: World, broker: Broker) -> Delivery:
    return started(hub, broker)


def started(hub: World, broker: Broker) -> Delivery:
    seal = Seal(hub.keyring, 72 * HOUR_MS)
    made = Delivery(hub.engine, Known(hub.keyring), seal, broker, HORIZON_MS)
    turn(made, NOW)
    return made


def turn(delivery: Delivery, now: int) -> None:
    delivery.follow(now)
    delivery.keep_up(now)


def online(hub: World, *devices: int, at: int = NOW) -> None:
    for device in devices:
        hub.set(models.Device, device, online=True, status_at=at)


def device(hub: World, number: int) -> Any:
    with database.reading(hub.engine) as connection:
        return connection.execute(select(DEVICE).where(DEVICE.c.id == number)).one()


def policies_of(hub: World, number: int) -> list[Any]:
    query = select(POLICY).where(POLICY.c.device_id == number).order_by(POLICY.c.id)
    with database.reading(hub.engine) as connection:
        return list(connection.execute(query))


def kinds(messages: list[Any]) -> list[type]:
    return [type(message) for message in messages]


def test_at_first_every_device_gets_its_snapshot_retained(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    assert {(of, retained) for of, _, retained in broker.heard} == {
        ("dorf-1", True),
        ("dorf-2", True),
    }
    (snapshot,) = broker.take("dorf-1")
    assert isinstance(snapshot, PolicySnapshot)
    assert policy.fingerprint(snapshot.content) == snapshot.sha256


def test_nothing_new_says_nothing(hub: World, broker: Broker, delivery: Delivery) -> None:
    broker.take()
    turn(delivery, NOW + 1000)
    assert broker.take() == []


def test_a_change_is_told_to_connected_doors_at_once(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    (before,) = broker.take("dorf-2")
    online(hub, 1, 2)
    turn(delivery, NOW)
    broker.take()
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change()
    turn(delivery, NOW + 50)
    first, second = broker.take()
    assert kinds([first, second]) == [PolicyDelta, PolicyDelta]
    patched = policy.patch(before.content, second.put, second.drop)
    assert policy.fingerprint(patched) == second.sha256
    assert second.base == before.number


def test_the_snapshot_follows_for_who_needs_it(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change()
    broker.take()
    turn(delivery, NOW)
    assert broker.take() == [], "nobody is connected"
    turn(delivery, NOW + SNAPSHOT_LAG_MS)
    assert kinds(broker.take("dorf-1")) == [PolicySnapshot]


def test_a_change_of_another_site_rebuilds_nothing_here(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    hub.add(models.Site, slug="stadt", name="Stadt")
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change(site=2)
    turn(delivery, NOW)
    assert len(policies_of(hub, 1)) == 1
    hub.change(site=None)
    turn(delivery, NOW)
    assert len(policies_of(hub, 1)) == 2


def test_how_people_are_counted_is_no_doors_business(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    """The same change under another name would give the door a new policy."""
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change(f"{changes.COUNTING}dorf-hall calibrated")
    turn(delivery, NOW)
    assert len(policies_of(hub, 1)) == 1
    hub.change("a booking")
    turn(delivery, NOW)
    assert len(policies_of(hub, 1)) == 2


def test_a_change_that_alters_nothing_is_on_the_door_at_once(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    (row,) = policies_of(hub, 1)
    applied = {"applied_epoch": row.epoch, "applied_n": row.n, "applied_sha256": row.sha256}
    hub.set(models.Device, 1, **applied)
    broker.take()
    change = hub.change("opening hours looked at")
    turn(delivery, NOW)
    assert (policies_of(hub, 1)[-1].change_id, len(policies_of(hub, 1))) == (change, 1)
    assert device(hub, 1).applied_change == change
    assert device(hub, 2).applied_change is None, "that door has reported nothing"
    assert broker.take() == []


def test_a_wish_is_answered_with_the_snapshot_and_changes_nothing(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    broker.take()
    hub.change("wanted:dorf-2")
    turn(delivery, NOW)
    assert [(of, type(down.message)) for of, down, _ in broker.heard] == [
        ("dorf-2", PolicySnapshot)
    ]
    assert policies_of(hub, 2)[0].change_id == 0


def applied(hub: World, number: int) -> Any:
    """The door has reported the policy in force; its row."""
    row = policies_of(hub, number)[-1]
    held = {"applied_epoch": row.epoch, "applied_n": row.n, "applied_sha256": row.sha256}
    hub.set(models.Device, number, **held)
    return row


def test_who_holds_the_policy_in_force_is_told_just_that(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    row = applied(hub, 2)
    broker.take()
    hub.change(f"wanted:dorf-2 {row.epoch}.{row.n}")
    turn(delivery, NOW)
    assert kinds(broker.take()) == [PolicyRenewed]


def test_who_holds_an_older_one_gets_the_difference_and_if_that_did_not_help_all(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    old = applied(hub, 2)
    for hour in (1, 2):
        hub.book(hub.member(UID + str(hour)), NOW, NOW + hour * HOUR_MS)
        hub.change()
        turn(delivery, NOW)
    turn(delivery, NOW + SNAPSHOT_LAG_MS)
    broker.take()
    hub.change(f"wanted:dorf-2 {old.epoch}.{old.n}")
    turn(delivery, NOW + SNAPSHOT_LAG_MS)
    (delta,) = broker.take()
    assert isinstance(delta, PolicyDelta)
    assert (delta.base.n, delta.number.n) == (old.n, old.n + 2)
    assert len(delta.put["rights"]) == 2
    hub.change(f"wanted:dorf-2 {old.epoch}.{old.n}")
    turn(delivery, NOW + SNAPSHOT_LAG_MS + WISH_AGAIN_MS - 1)
    assert kinds(broker.take()) == [PolicySnapshot]


def test_who_says_the_right_number_but_holds_something_else_gets_all_of_it(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    row = applied(hub, 2)
    hub.set(models.Device, 2, applied_sha256="0" * 64)
    broker.take()
    hub.change(f"wanted:dorf-2 {row.epoch}.{row.n}")
    turn(delivery, NOW)
    assert kinds(broker.take()) == [PolicySnapshot]


def test_a_door_that_is_ahead_of_a_restored_hub_gets_a_number_it_takes(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    row = applied(hub, 1)
    hub.set(models.Device, 1, applied_n=row.n + 40, applied_sha256="0" * 64)
    delivery.repair(NOW)
    turn(delivery, NOW)
    assert policies_of(hub, 1)[-1].n == row.n + 41


def test_a_number_a_restored_hub_has_used_again_is_outdone_at_once(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    row = applied(hub, 1)
    online(hub, 1)
    turn(delivery, NOW)
    broker.take()
    hub.set(models.Device, 1, applied_sha256="0" * 64)
    turn(delivery, NOW + 50)
    (snapshot,) = broker.take()
    assert isinstance(snapshot, PolicySnapshot)
    assert (snapshot.number.epoch, snapshot.number.n) == (row.epoch, row.n + 1)
    assert snapshot.sha256 == row.sha256
    assert [one.n for one in policies_of(hub, 1)] == [row.n, row.n + 1]
    turn(delivery, NOW + 100)
    assert broker.take() == []


def test_content_of_a_forgotten_number_is_no_base_for_a_difference(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    old = applied(hub, 1)
    online(hub, 1)
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change()
    turn(delivery, NOW)
    turn(delivery, NOW + SNAPSHOT_LAG_MS)
    broker.take()
    hub.set(models.Device, 1, applied_sha256="0" * 64)
    hub.change(f"wanted:dorf-1 {old.epoch}.{old.n}")
    turn(delivery, NOW + SNAPSHOT_LAG_MS + 50)
    newest = policies_of(hub, 1)[-1]
    assert [(type(one), one.sha256) for one in broker.take()] == [(PolicySnapshot, newest.sha256)]
    assert newest.n == old.n + 1


def test_a_later_number_for_the_same_content_is_outdone_as_well(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    row = applied(hub, 1)
    hub.set(models.Device, 1, applied_n=row.n + 2)
    turn(delivery, NOW + 50)
    assert policies_of(hub, 1)[-1].n == row.n + 3


def test_a_site_may_have_its_own_horizon_and_expiry(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    hub.book(hub.member(UID), NOW + 30 * HOUR_MS, NOW + 31 * HOUR_MS)
    hub.set(models.Site, 1, policy_horizon_ms=24 * HOUR_MS, policy_expiry_ms=12 * HOUR_MS)
    hub.change()
    online(hub, 1)
    broker.take()
    turn(delivery, NOW)
    assert {down.expires_at - down.at for _, down, _ in broker.heard} == {12 * HOUR_MS}
    assert "rights" not in from_json(policies_of(hub, 1)[-1].document)
    hub.set(models.Site, 1, policy_horizon_ms=48 * HOUR_MS)
    hub.change()
    turn(delivery, NOW)
    assert len(from_json(policies_of(hub, 1)[-1].document)["rights"]) == 1


def test_a_wish_of_an_unknown_door_is_nobodys(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    broker.take()
    hub.change("wanted:elsewhere")
    turn(delivery, NOW)
    assert broker.take() == []


def test_doors_hear_every_quarter_of_an_hour_that_their_policy_holds(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    online(hub, 1)
    turn(delivery, NOW)
    broker.take()
    hour = NOW - NOW % HOUR_MS
    assert hour + HOUR_MS > NOW + RENEW_MS, "no new hour begins in between"
    turn(delivery, NOW + RENEW_MS - 1)
    assert broker.take() == []
    turn(delivery, NOW + RENEW_MS)
    (renewed,) = broker.take()
    assert isinstance(renewed, PolicyRenewed)
    assert (renewed.sha256, renewed.issued_at) == (policies_of(hub, 1)[0].sha256, NOW + RENEW_MS)


def test_a_door_that_comes_back_is_greeted_with_its_policys_number(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    online(hub, 1)
    turn(delivery, NOW)
    broker.take()
    hub.set(models.Device, 1, online=False, status_at=NOW + 1000)
    turn(delivery, NOW + 1000)
    assert broker.take() == []
    online(hub, 1, at=NOW + 2000)
    turn(delivery, NOW + 2000)
    assert kinds(broker.take("dorf-1")) == [PolicyRenewed]


def test_a_connected_door_that_does_not_confirm_is_told_again(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    online(hub, 1)
    turn(delivery, NOW)
    broker.take()
    delivery.repair(NOW + REPAIR_MS - 1)
    delivery.keep_up(NOW + REPAIR_MS - 1)
    assert broker.take() == []
    delivery.repair(NOW + REPAIR_MS)
    delivery.keep_up(NOW + REPAIR_MS)
    assert kinds(broker.take()) == [PolicyRenewed]


def test_a_door_that_confirmed_is_left_alone(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    online(hub, 1)
    turn(delivery, NOW)
    hub.set(models.Device, 1, applied_sha256=policies_of(hub, 1)[0].sha256)
    broker.take()
    delivery.repair(NOW + REPAIR_MS)
    delivery.keep_up(NOW + REPAIR_MS)
    assert broker.take() == []


def test_a_new_connection_to_the_broker_repeats_what_may_be_lost(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    online(hub, 1)
    turn(delivery, NOW)
    broker.take()
    broker.connections = 2
    turn(delivery, NOW + 1)
    assert kinds(broker.take("dorf-1")) == [PolicySnapshot, PolicyRenewed]


def test_without_a_broker_policies_are_kept_and_sent_when_it_is_back(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    online(hub, 1)
    broker.take()
    broker.connected = False
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change()
    turn(delivery, NOW + 1)
    assert len(policies_of(hub, 1)) == 2
    broker.connected = True
    broker.connections += 1
    turn(delivery, NOW + 2)
    sent = [message for message in broker.take("dorf-1") if isinstance(message, PolicySnapshot)]
    assert max(message.number.n for message in sent) == 2


def test_a_new_hour_brings_the_rights_it_holds(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    hub.book(hub.member(UID), NOW + HORIZON_MS + HOUR_MS, NOW + HORIZON_MS + 2 * HOUR_MS)
    hub.change()
    turn(delivery, NOW)
    assert len(policies_of(hub, 1)) == 1
    delivery.keep_up(NOW + HOUR_MS)
    assert len(policies_of(hub, 1)) == 2


def test_a_new_device_gets_a_policy_a_revoked_one_no_more(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    key = hub.keyring.seal(b"k" * 32, "device:dorf-3")
    hub.add(models.Device, site_id=1, slug="dorf-3", lookup_key=key)
    hub.set(models.Device, 1, revoked_at=NOW)
    broker.take()
    hub.change()
    turn(delivery, NOW)
    assert {of for of, _, _ in broker.heard} == {"dorf-3"}
    hub.change("wanted:dorf-1")
    broker.take()
    turn(delivery, NOW)
    assert broker.take() == []


def test_one_site_that_cannot_be_read_does_not_hold_up_the_others(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    hub.add(models.Site, slug="stadt", name="Stadt")
    key = hub.keyring.seal(b"k" * 32, "device:stadt-1")
    hub.add(models.Device, site_id=2, slug="stadt-1", lookup_key=key)
    hub.set(models.Site, 1, opening={"mon": ["at times"]})
    hub.add(models.Entitlement, member_id=hub.member(UID), site_id=1)
    hub.change(site=None)
    broker.take()
    turn(delivery, NOW)
    assert {of for of, _, _ in broker.heard} == {"stadt-1"}
    hub.set(models.Site, 1, opening={})
    turn(delivery, NOW + RETRY_MS)
    assert len(policies_of(hub, 1)) == 2


def test_a_policy_that_could_not_be_stored_is_owed(
    hub: World, broker: Broker, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change()

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr("kokubus_hub.delivery.issuing.issue", full)
        with pytest.raises(OSError, match="no space"):
            delivery.follow(NOW)
    delivery.keep_up(NOW + 50)
    assert len(policies_of(hub, 1)) == 2


def test_after_a_restart_numbers_go_on(hub: World, broker: Broker, delivery: Delivery) -> None:
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    started(hub, broker)
    assert [row.n for row in policies_of(hub, 1)] == [1, 2], "found without any change noted"


def test_what_expired_documents_lack_is_made_up_by_the_snapshot(
    hub: World, broker: Broker, delivery: Delivery
) -> None:
    with database.writing(hub.engine) as connection:
        connection.execute(update(POLICY).values(document=""))
    online(hub, 1)
    turn(delivery, NOW)
    broker.take()
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.change()
    turn(delivery, NOW)
    assert kinds(broker.take("dorf-1")) == [PolicySnapshot]
