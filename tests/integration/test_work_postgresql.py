"""The worker's parts on a real PostgreSQL: numbers, confirmations, one leader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from tests.hub.policy_world import HORIZON_MS, HOUR_MS, NOW, UID, Broker, World, furnished
from tests.integration import test_postgresql as postgresql

from kokubus.downlinks import PolicyDelta
from kokubus_hub import database, leading, models, watching
from kokubus_hub.delivery import Delivery
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.policies import Known
from kokubus_hub.seal import Seal

server, engine = postgresql.server, postgresql.engine
DEVICE, POLICY, ALARM = table(models.Device), table(models.Policy), table(models.Alarm)


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> World:
    database.migrate(engine)
    return furnished(engine, Keyring.create(tmp_path / "keys"))


def rows(hub: World, of: Any) -> list[Any]:
    with database.reading(hub.engine) as connection:
        return list(connection.execute(select(of).order_by(of.c.id)))


def test_a_booking_is_on_the_door_once_it_has_said_so(hub: World) -> None:
    broker = Broker(hub.keyring)
    seal = Seal(hub.keyring, 72 * HOUR_MS)
    delivery = Delivery(hub.engine, Known(hub.keyring), seal, broker, HORIZON_MS)
    hub.set(models.Device, 2, online=True, status_at=NOW)
    delivery.follow(NOW)
    hub.book(hub.member(UID), NOW, NOW + HOUR_MS)
    hub.add(models.Entitlement, member_id=1, site_id=1, schedule={"mon": ["08:00-10:00"]})
    change = hub.change()
    broker.take()
    delivery.follow(NOW)
    (delta,) = broker.take()
    assert isinstance(delta, PolicyDelta)
    applied = {"applied_epoch": delta.number.epoch, "applied_n": delta.number.n}
    hub.set(models.Device, 2, **applied, applied_sha256=delta.sha256)
    delivery.repair(NOW)
    assert [device.applied_change for device in rows(hub, DEVICE)] == [None, change]


def test_alarms_and_silent_commands(hub: World) -> None:
    hub.add(models.Spool, device_id=1, epoch="e", received="[[1,4],[7,9]]")
    hub.set(models.Device, 2, online=False, status_at=0)
    watch = watching.Watch(hub.engine)
    for now in (NOW, NOW + watching.PATIENCE_MS):
        watch.look(now)
        watching.expire_commands(hub.engine, now)
    silent = {"device_offline", "device_silent", "device_silent_long"}
    assert {alarm.kind for alarm in rows(hub, ALARM)} == {"facts_missing"} | silent


def test_one_leads_until_its_connection_is_gone(hub: World, tmp_path: Path) -> None:
    lock = tmp_path / "unused"
    with leading.candidacy(hub.engine, lock) as second:
        with leading.candidacy(hub.engine, lock) as first:
            assert first.held()
            assert first.held()
            assert not second.held()
            cut_off_the_leader(hub.engine)
            assert second.held()
            with pytest.raises(DBAPIError):
                first.held()
        assert second.held()
    with leading.candidacy(hub.engine, lock) as third:
        assert third.held(), "the lead ends with the candidacy, not with the pool's connection"


def cut_off_the_leader(engine: Engine) -> None:
    query = "SELECT pg_terminate_backend(pid, 20000) FROM pg_locks WHERE locktype = 'advisory'"
    with database.reading(engine) as connection:
        assert list(connection.scalars(text(query))) == [True]
