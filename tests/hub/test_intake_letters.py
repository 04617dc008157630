"""Letters that cannot be used, alone: what is wrong with one harms no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.intake_world import (
    AIR,
    BACK,
    CO2,
    NOW,
    OTHER_UID,
    PIR,
    UID,
    Device,
    World,
    world,
)

from kokubus import wire
from kokubus.messages import ExitRequested, NoEntry
from kokubus.ranges import Ranges
from kokubus_hub import database, models
from kokubus_hub.sorting import Letter


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def dead(hub: World) -> list[str]:
    return [row["error"] for row in hub.rows(models.DeadLetter)]


def damaged(letter: Letter, old: bytes, new: bytes) -> Letter:
    assert old in letter.payload
    return Letter(letter.topic, letter.payload.replace(old, new))


def test_only_the_bad_letter_of_a_batch_is_refused(hub: World) -> None:
    good, bad, last = (hub.device.read(AIR, 20.0) for _ in range(3))
    bad = damaged(bad, b'"value":20.0', b'"value":"warm"')
    assert hub.receipted(hub.take(good, bad, last)) == (Ranges([(1, 1), (3, 3)]), [2])
    assert len(hub.rows(models.Reading)) == 2
    (letter,) = hub.rows(models.DeadLetter)
    assert (letter["device"], letter["topic"], letter["payload"]) == (
        "dorf-1", bad.topic, bad.payload,
    )  # fmt: skip
    assert "readings.0.value" in letter["error"]


def test_a_bad_letter_that_comes_again_is_refused_again_and_kept_once(hub: World) -> None:
    """Its receipt was lost: were it not repeated, the device would send it for ever."""
    bad = damaged(hub.device.read(AIR, 20.0), b"20.0", b'"warm"')
    for _ in range(3):
        assert hub.receipted(hub.take(bad)) == (Ranges(), [1])
    assert len(dead(hub)) == 1


def test_another_devices_door_is_refused(hub: World) -> None:
    trespass = hub.device.fact(NoEntry, door=BACK, tap="t")
    assert hub.receipted(hub.take(trespass, hub.device.read(AIR, 1.0))) == (Ranges([(2, 2)]), [1])
    assert "is not one of this device's" in dead(hub)[0]
    assert hub.rows(models.DoorEvent) == []


def test_a_reading_of_an_unknown_sensor_costs_only_itself_and_is_told(hub: World) -> None:
    reading = {"quantity": "co2", "at": NOW, "value": 500.0}
    readings = [reading | {"sensor": name} for name in (CO2, "dorf-attic", PIR, "dorf-attic")]
    letter = hub.device.read(AIR, 1.0)
    fields = wire._object(letter.payload, wire.UPLINK_LIMIT, "") | {"readings": readings}
    replies = hub.take(Letter(letter.topic, wire._bytes(fields)))
    assert hub.receipted(replies) == (Ranges([(1, 1)]), [])
    assert [row["sensor_id"] for row in hub.rows(models.Reading)] == [1, 2]
    buried = hub.rows(models.DeadLetter)
    assert len(buried) == 2
    assert all("'dorf-attic' is not known" in row["error"] for row in buried)
    assert json.loads(buried[0]["payload"])["sensor"] == "dorf-attic"
    alarms = [row["kind"] for row in hub.rows(models.Alarm)]
    assert alarms == ["sensor_unknown"]


def test_a_tap_sealed_for_another_tap_is_refused(hub: World) -> None:
    stolen, other = hub.device.tapped(), hub.device.tapped()
    letter = hub.device.say(stolen)
    letter = damaged(letter, stolen.sealed.encode(), other.sealed.encode())
    assert hub.receipted(hub.take(letter)) == (Ranges(), [1])
    assert hub.rows(models.AccessEvent) == []
    assert "not sealed for this tap" in dead(hub)[0]


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b'{"v":1}', b"{" * 5_000, b'"' + b"x" * wire.UPLINK_LIMIT]
)
def test_what_is_no_message_is_kept_or_dropped_and_harms_nobody(hub: World, payload: bytes) -> None:
    good = hub.device.read(AIR, 20.0)
    assert hub.receipted(hub.take(Letter(good.topic, payload), good)) == (Ranges([(1, 1)]), [])
    assert len(dead(hub)) == (payload != b'{"v":1}')


@pytest.mark.parametrize("topic", ["", "x", "kokubus/v1", "kokubus/v1/DORF/up/sensors_read"])
def test_a_strange_topic_is_kept(hub: World, topic: str) -> None:
    assert hub.take(Letter(topic, b"{}")) == []
    assert len(dead(hub)) == 1


def test_a_kind_of_a_later_release_is_left_with_its_device(hub: World) -> None:
    """Neither kept nor receipted: once the hub is of that release, it is sent again."""
    letter = hub.device.read(AIR, 1.0)
    for old, new in ((b"sensors_read", b"window_opened"), (b'"v":1', b'"v":2')):
        later = Letter(letter.topic.replace("sensors_read", "window_opened"), letter.payload)
        assert hub.take(damaged(later, old, new)) == []
    assert (dead(hub), hub.rows(models.Spool)) == ([], [])


@pytest.mark.parametrize("revoked", [False, True])
def test_an_unknown_or_revoked_device_is_given_no_receipt(hub: World, revoked: bool) -> None:
    stranger = hub.other if revoked else Device("dorf-9", hub.keyring)
    hub.set(models.Device, "dorf-2", revoked_at=NOW)
    said = [stranger.tap(door=BACK), stranger.fact(ExitRequested, door=BACK)]
    bad = stranger.fact(ExitRequested, door=BACK)
    assert hub.take(*said, damaged(bad, b'"at"', b'"on"')) == []
    assert hub.rows(models.AccessEvent) == hub.rows(models.Spool) == []


def test_a_letter_that_breaks_the_database_is_buried_without_its_batch(hub: World) -> None:
    """Two taps of one id under two numbers: the second cannot be recorded."""
    tap = hub.device.tapped()
    letters = [hub.device.say(tap), hub.device.say(tap), hub.device.read(AIR, 1.0)]
    assert hub.receipted(hub.take(*letters)) == (Ranges([(1, 1), (3, 3)]), [2])
    assert len(hub.rows(models.AccessEvent)) == len(hub.rows(models.Reading)) == 1
    assert "IntegrityError" in dead(hub)[0]
    assert hub.receipted(hub.take(letters[1]))[0] == Ranges([(2, 2)])


def test_no_uid_reaches_the_database_or_the_log(hub: World) -> None:
    hub.book(hub.member())
    hub.take(hub.device.tap(), hub.device.tap(OTHER_UID))
    hub.take(damaged(hub.device.tap(), b'"side"', b'"slide"'))
    assert UID not in str(hub.logs)
    with database.reading(hub.engine) as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert "access_event" in dump
    assert UID not in dump
    assert OTHER_UID not in dump
