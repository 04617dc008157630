"""Each kind of fact as it is recorded, in whatever order it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub.intake_world import (
    AIR,
    BACK,
    CO2,
    FRONT,
    HALL,
    NOW,
    PIR,
    UID,
    World,
    world,
)

from kokubus import messages as said
from kokubus.messages import By, PolicyNumber
from kokubus_hub import database, facts, models
from kokubus_hub.doors.service import door_by_slug
from kokubus_hub.sorting import Letter

SHA = "a" * 64


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def door(hub: World, slug: str = FRONT) -> dict[str, Any]:
    return hub.row(models.Door, slug)


def standing(hub: World) -> str:
    """How the door stands, as far as anybody can know."""
    with database.reading(hub.engine) as connection:
        found = door_by_slug(connection, FRONT, NOW)
    assert found is not None
    return found.state


def alarms(hub: World) -> list[tuple[str, int, int | None]]:
    """(kind, at, cleared at), the oldest first."""
    found = [(row["kind"], row["at"], row["cleared_at"]) for row in hub.rows(models.Alarm)]
    return sorted(found, key=lambda alarm: alarm[1])


def test_every_kind_of_fact_but_a_tap_has_its_own_recorder() -> None:
    kinds = {fact.kind for fact in said.Fact.__args__}
    assert facts.RECORD.keys() == kinds - {"badge_tapped"}


def test_enforced(hub: World) -> None:
    number = PolicyNumber(3, 9)
    told = {"door": FRONT, "by": By.EDGE, "granted": False, "reason": "no_booking"}
    hub.take(hub.device.fact(said.Enforced, tap="t", policy=number, policy_age_ms=7, **told))
    (row,) = hub.rows(models.Enforcement)
    assert {key: row[key] for key in ("tap", "door_id", "at", "by", "granted", "reason")} == {
        "tap": "t", "door_id": 1, "at": NOW, "by": "edge", "granted": False, "reason": "no_booking",
    }  # fmt: skip
    assert (row["policy_epoch"], row["policy_n"], row["policy_age_ms"]) == (3, 9, 7)
    assert hub.rows(models.Passage) == []


def test_a_grant_at_a_door_without_a_contact_is_all_that_is_known_of_an_entry(hub: World) -> None:
    tap = hub.other.tapped(UID, BACK)
    granted = {"by": By.HUB, "granted": True, "reason": "booked"}
    enforced = hub.other.fact(said.Enforced, tap=tap.id, door=BACK, **granted)
    badge = hub.badge()
    hub.take(hub.other.say(tap), enforced)
    (row,) = hub.rows(models.Passage)
    assert (row["tap"], row["door_id"], row["side"]) == (tap.id, 3, "in")
    (inside,) = hub.rows(models.Presence)
    assert (inside["badge_id"], inside["room_id"], inside["inside"]) == (badge, HALL, True)
    at_front = {"tap": "t", "door": FRONT} | granted
    hub.take(hub.device.fact(said.Enforced, **at_front))
    assert len(hub.rows(models.Passage)) == 1


def test_each_use_of_a_key_is_an_alarm(hub: World) -> None:
    used = {"door": FRONT, "by": By.EDGE, "granted": True, "reason": "keyholder"}
    hub.take(*[hub.device.fact(said.Enforced, tap=tap, **used) for tap in "ab"])
    hub.take(hub.device.fact(said.Enforced, tap="c", **(used | {"granted": False})))
    found = [(row["kind"], row["door_id"], row["detail"]) for row in hub.rows(models.Alarm)]
    assert found == [("keyholder_used", 1, {"tap": tap}) for tap in "ab"]


@pytest.mark.parametrize("side", ["in", "out", None])
def test_a_passage_without_a_tap_is_recorded(hub: World, side: str | None) -> None:
    way = said.Side(side) if side else None
    hub.take(hub.device.passage(side=way, command="c", exit_requested=True))
    (row,) = hub.rows(models.Passage)
    assert (row["side"], row["command"], row["exit_requested"]) == (side, "c", True)
    assert (row["tap"], row["member_id"]) == (None, None)
    assert len(hub.rows(models.Belief)) == 1


@pytest.mark.parametrize("kind", [said.NoEntry, said.ExitRequested])
def test_other_facts_of_a_door(hub: World, kind: type[Any]) -> None:
    about = {"tap": "t", "command": "c"} if kind is said.NoEntry else {}
    hub.take(hub.device.fact(kind, door=FRONT, **about))
    (row,) = hub.rows(models.DoorEvent)
    assert (row["kind"], row["door_id"], row["device_id"], row["at"]) == (kind.kind, 1, 1, NOW)
    assert (row["tap"], row["command"]) == (about.get("tap"), about.get("command"))


# --- sensors -----------------------------------------------------------------------------


def test_readings_are_kept_as_they_are(hub: World) -> None:
    hub.take(hub.device.read(CO2, 812.5), hub.device.read(PIR, 1.0), hub.device.read(AIR, -3.0))
    found = [(row["sensor_id"], row["value"]) for row in hub.rows(models.Reading)]
    assert found == [(1, 812.5), (2, 1.0), (3, -3.0)]


def test_another_devices_sensor_is_refused(hub: World) -> None:
    hub.take(hub.other.read(AIR, 20.0))
    assert hub.rows(models.Reading) == []
    assert len(hub.rows(models.DeadLetter)) == 1


@pytest.mark.parametrize("sensor", [CO2, PIR])
def test_air_and_motion_are_evidence(hub: World, sensor: str) -> None:
    hub.take(hub.device.read(AIR, 20.0))
    assert hub.rows(models.Belief) == []
    hub.take(hub.device.read(sensor, 600.0))
    assert hub.rows(models.Belief)[0]["room_id"] == HALL


# --- policies, commands, the device ------------------------------------------------------


def applied(hub: World, epoch: int, n: int, at: int = NOW, sha256: str = SHA) -> Letter:
    number = PolicyNumber(epoch, n)
    return hub.device.fact(said.PolicyApplied, at=at, number=number, sha256=sha256)


def issue(hub: World, n: int, change: int) -> None:
    row = {"device_id": 1, "epoch": 1, "n": n, "sha256": SHA, "document": "{}", "issued_at": NOW}
    hub.add(models.Policy, **row, change_id=change)


def test_a_door_reports_up_to_which_change_it_goes(hub: World) -> None:
    issue(hub, 4, 33)
    hub.take(applied(hub, 1, 4))
    device = hub.row(models.Device, "dorf-1")
    assert (device["applied_epoch"], device["applied_n"], device["applied_sha256"]) == (1, 4, SHA)
    assert (device["applied_at"], device["applied_change"]) == (NOW, 33)


def test_a_policy_of_another_hash_confirms_no_change(hub: World) -> None:
    issue(hub, 4, 33)
    hub.take(applied(hub, 1, 4, sha256="b" * 64), applied(hub, 1, 5))
    device = hub.row(models.Device, "dorf-1")
    assert (device["applied_n"], device["applied_change"]) == (5, None)


def test_an_older_report_that_arrives_late_changes_nothing(hub: World) -> None:
    issue(hub, 4, 33)
    issue(hub, 5, 44)
    hub.take(applied(hub, 1, 5, at=NOW - 5))
    hub.take(applied(hub, 1, 4, at=NOW - 9), applied(hub, 0, 99))
    device = hub.row(models.Device, "dorf-1")
    assert (device["applied_n"], device["applied_change"]) == (5, 44)
    hub.take(applied(hub, 2, 1, at=1_000))
    assert hub.row(models.Device, "dorf-1")["applied_epoch"] == 2


def command(hub: World, door_id: int = 1) -> None:
    row = {"reason": "guest", "sent_at": NOW, "expires_at": NOW + 10_000, "outcome": "sent"}
    hub.add(models.Command, id="c", door_id=door_id, **row)


def outcome(hub: World) -> str:
    return str(hub.rows(models.Command)[0]["outcome"])


def done(hub: World, what: str) -> Letter:
    return hub.device.fact(said.CommandDone, command="c", outcome=what)


def test_what_became_of_a_command(hub: World) -> None:
    command(hub)
    for what, stands in (
        ("repeated", "sent"),
        ("started", "started"),
        ("repeated", "started"),
        ("opened", "opened"),
        ("started", "opened"),
        ("no_entry", "opened"),
    ):
        hub.take(done(hub, what))
        assert outcome(hub) == stands
    assert hub.rows(models.Command)[0]["outcome_at"] == NOW


def test_a_late_word_corrects_no_answer(hub: World) -> None:
    command(hub)
    hub.take(done(hub, "no_answer"))
    hub.take(done(hub, "opened"))
    assert outcome(hub) == "opened"


def test_another_device_settles_no_command(hub: World) -> None:
    command(hub, door_id=3)
    hub.take(done(hub, "opened"))
    assert outcome(hub) == "sent"


def alarmed(hub: World, at: int, *, active: bool, **about: Any) -> Letter:
    told = {"alarm": "reader_dead", "active": active, "detail": "no answer"} | about
    return hub.device.fact(said.DeviceAlarmed, at=at, **told)


def test_a_device_raises_an_alarm_once_and_clears_it(hub: World) -> None:
    hub.take(alarmed(hub, NOW - 9, active=True), alarmed(hub, NOW - 8, active=True))
    hub.take(alarmed(hub, NOW - 7, active=True, door=FRONT))
    assert [(row["door_id"], row["detail"]) for row in hub.rows(models.Alarm)] == [
        (None, {"detail": "no answer"}),
        (1, {"detail": "no answer"}),
    ]
    hub.take(alarmed(hub, NOW - 5, active=False))
    assert alarms(hub) == [
        ("reader_dead", NOW - 9, NOW - 5),
        ("reader_dead", NOW - 7, None),
    ]
    hub.take(alarmed(hub, NOW - 3, active=True))
    assert alarms(hub)[-1] == ("reader_dead", NOW - 3, None)


def test_raised_and_cleared_in_one_batch_is_over(hub: World) -> None:
    hub.take(alarmed(hub, NOW - 5, active=False), alarmed(hub, NOW - 9, active=True))
    assert alarms(hub) == [("reader_dead", NOW - 9, NOW - 5)]


def test_an_older_all_clear_leaves_a_younger_alarm(hub: World) -> None:
    hub.take(alarmed(hub, NOW - 5, active=True))
    hub.take(alarmed(hub, NOW - 9, active=False))
    assert alarms(hub) == [("reader_dead", NOW - 5, None)]


def test_an_alarm_of_a_long_name_fits_its_column(hub: World) -> None:
    hub.take(alarmed(hub, NOW, active=True, alarm="x" * 64))
    assert alarms(hub) == [("x" * 32, NOW, None)]


def test_an_alarm_at_another_devices_door_is_refused(hub: World) -> None:
    hub.take(alarmed(hub, NOW, active=True, door=BACK))
    assert (alarms(hub), len(hub.rows(models.DeadLetter))) == ([], 1)


# --- outside the numbered record ---------------------------------------------------------


def test_birth_and_last_will(hub: World) -> None:
    hub.take(hub.device.fact(said.ContactChanged, door=FRONT, open=True))
    birth = said.DeviceStatus(online=True, at=NOW, boot="boot-1", version="0.1.0")
    assert hub.take(hub.device.say(birth)) == []
    device = hub.row(models.Device, "dorf-1")
    assert (device["online"], device["boot"], device["version"]) == (True, "boot-1", "0.1.0")
    assert (device["status_at"], standing(hub)) == (NOW, "open")
    hub.take(hub.device.say(said.DeviceStatus(online=False, at=NOW)))
    assert (hub.row(models.Device, "dorf-1")["online"], standing(hub)) == (False, "unknown")
    hub.take(hub.device.say(birth))
    assert standing(hub) == "open", "it has run all the while and has no news of its doors"


def test_a_wish_for_a_policy_is_a_change_that_the_worker_follows(hub: World) -> None:
    before = len(hub.rows(models.Change))
    assert hub.take(hub.device.say(said.PolicyWanted(at=NOW))) == []
    (change,) = hub.rows(models.Change)[before:]
    assert (change["what"], change["site_id"]) == ("wanted:dorf-1", 1)
