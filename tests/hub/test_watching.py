"""Alarms of what did not happen: raised once, cleared when their cause is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.hub.policy_world import NOW, World, world

from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.watching import ANSWER_MS, ENTRY_MS, HOUR_MS, PATIENCE_MS, Watch, expire_commands

ALARM, COMMAND = table(models.Alarm), table(models.Command)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def alarms(hub: World) -> list[Any]:
    with database.reading(hub.engine) as connection:
        return list(connection.execute(select(ALARM).order_by(ALARM.c.id)))


def spool(hub: World, received: str) -> int:
    return hub.add(models.Spool, device_id=1, epoch="e", received=received)


def test_a_gap_is_alarmed_when_it_is_a_minute_old(hub: World) -> None:
    row, watch = spool(hub, "[[1,4],[7,9]]"), Watch(hub.engine)
    watch.look(NOW)
    watch.look(NOW + PATIENCE_MS - 1)
    assert alarms(hub) == []
    watch.look(NOW + PATIENCE_MS)
    (alarm,) = alarms(hub)
    assert (alarm.kind, alarm.device_id, alarm.at) == ("facts_missing", 1, NOW)
    assert alarm.detail == {"epoch": "e", "first": 5, "last": 6}
    hub.set(models.Spool, row, received="[[1,9]]")
    watch.look(NOW + 2 * PATIENCE_MS)
    assert alarms(hub)[0].cleared_at == NOW + 2 * PATIENCE_MS


def test_gaps_that_close_and_open_again_begin_anew(hub: World) -> None:
    row, watch = spool(hub, "[[1,4],[7,9]]"), Watch(hub.engine)
    watch.look(NOW)
    hub.set(models.Spool, row, received="[[1,9],[12,12]]")
    watch.look(NOW + PATIENCE_MS)
    assert alarms(hub) == []


def test_a_device_that_is_away_for_a_minute(hub: World) -> None:
    watch = Watch(hub.engine)
    hub.set(models.Device, 1, online=False, status_at=NOW)
    watch.look(NOW + PATIENCE_MS - 1)
    assert alarms(hub) == []
    for later in (0, 5_000):
        watch.look(NOW + PATIENCE_MS + later)
    (alarm,) = alarms(hub)
    assert (alarm.kind, alarm.device_id, alarm.at) == ("device_offline", 1, NOW)
    hub.set(models.Device, 1, online=True)
    watch.look(NOW + 2 * PATIENCE_MS)
    assert alarms(hub)[0].cleared_at == NOW + 2 * PATIENCE_MS


def test_devices_never_heard_of_or_revoked_are_not_missed(hub: World) -> None:
    hub.set(models.Device, 1, online=False, status_at=0, revoked_at=NOW)
    Watch(hub.engine).look(NOW)
    assert alarms(hub) == []


def test_silence_is_expected_in_transit(hub: World) -> None:
    hub.set(models.Site, 1, kind="container")
    hub.set(models.Device, 1, online=False, status_at=0)
    watch = Watch(hub.engine)
    watch.look(NOW)
    assert alarms(hub) == []
    hub.add(models.Placement, site_id=1, municipality_id=1, start=NOW, end=None)
    watch.look(NOW)
    kinds = {alarm.kind for alarm in alarms(hub)}
    assert kinds == {"device_offline", "device_silent", "device_silent_long"}


def test_a_connected_door_that_does_not_take_its_policy(hub: World) -> None:
    row = {"device_id": 1, "epoch": 1, "n": 1, "sha256": "a" * 64, "document": "{}"}
    hub.add(models.Policy, **row, change_id=1, issued_at=NOW - PATIENCE_MS)
    watch = Watch(hub.engine)
    watch.look(NOW)
    hub.set(models.Device, 1, online=True, status_at=NOW - 1)
    watch.look(NOW)
    assert alarms(hub) == [], "it has only just come back"
    watch.look(NOW + PATIENCE_MS)
    assert [alarm.kind for alarm in alarms(hub)] == ["policy_not_confirmed"]
    hub.set(models.Device, 1, applied_sha256="a" * 64)
    watch.look(NOW + PATIENCE_MS + 1)
    assert alarms(hub)[0].cleared_at == NOW + PATIENCE_MS + 1


def command(hub: World, outcome: str) -> None:
    row = {"id": outcome, "door_id": 1, "reason": "a delivery", "sent_at": NOW}
    with database.writing(hub.engine) as connection:
        made = COMMAND.insert().values(row | {"expires_at": NOW, "outcome": outcome})
        connection.execute(made)


@pytest.mark.parametrize(("outcome", "patience"), [("sent", ANSWER_MS), ("started", ENTRY_MS)])
def test_an_unlock_nobody_answers_is_settled(hub: World, outcome: str, patience: int) -> None:
    command(hub, outcome)
    command(hub, "opened")

    def outcomes(now: int) -> dict[str, str]:
        expire_commands(hub.engine, now)
        with database.reading(hub.engine) as connection:
            return {row.id: row.outcome for row in connection.execute(select(COMMAND))}

    assert outcomes(NOW + patience) == {outcome: outcome, "opened": "opened"}
    assert outcomes(NOW + patience + 1) == {outcome: "no_answer", "opened": "opened"}


@pytest.mark.parametrize(("expiry_h", "told"), [(None, [24, 48]), (12, [4, 8])])
def test_silence_is_warned_of_twice_before_only_keyholders_get_in(
    hub: World, expiry_h: int | None, told: list[int]
) -> None:
    hub.set(models.Site, 1, policy_expiry_ms=expiry_h and expiry_h * HOUR_MS)
    hub.set(models.Device, 1, online=False, status_at=NOW)
    watch, found = Watch(hub.engine), []
    for hour in range(60):
        before = len(alarms(hub))
        watch.look(NOW + hour * HOUR_MS)
        new = [alarm for alarm in alarms(hub)[before:] if alarm.kind.startswith("device_silent")]
        found += [hour for _ in new]
    assert found == told
    assert alarms(hub)[-1].detail == {"keyholders_only_after_h": expiry_h or 72}
    hub.set(models.Device, 1, online=True, status_at=NOW + 60 * HOUR_MS)
    watch.look(NOW + 60 * HOUR_MS)
    assert all(alarm.cleared_at for alarm in alarms(hub))
