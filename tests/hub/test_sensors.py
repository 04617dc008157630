"""Bad sensors are found, left out of the count, said so, and listened to again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update
from tests.hub.intake_world import CO2, HALL, HOUR_MS, NOW, PIR, World, world

from kokubus_hub import database, models, places
from kokubus_hub.models import table
from kokubus_hub.occupancy import sensors

MINUTE_MS = 60_000
ALARM, READING = table(models.Alarm), table(models.Reading)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.set(models.Device, "dorf-1", online=True)
        yield made


def say(hub: World, sensor: int, values: list[float], until: int = NOW) -> None:
    """One value a minute, the last of them at ``until``."""
    rows = [
        {"sensor_id": sensor, "at": until - age * MINUTE_MS, "value": value}
        for age, value in enumerate(reversed(values))
    ]
    with database.writing(hub.engine) as connection:
        connection.execute(insert(READING), rows)


def standing(hub: World) -> list[tuple[str, dict[str, Any]]]:
    found = [row for row in hub.rows(models.Alarm) if row["cleared_at"] is None]
    return [(row["kind"], row["detail"]) for row in found]


def counts(hub: World, slug: str) -> bool:
    with database.reading(hub.engine) as connection:
        return places.current(connection, None).sensors[1, slug].counts


def test_a_stuck_sensor_is_left_out_said_so_and_heard_again(hub: World) -> None:
    say(hub, 1, [640.0] * 721)
    sensors.look(hub.engine, NOW)
    assert standing(hub) == [("sensor_faulty", {"sensor": CO2, "fault": "stuck"})]
    assert not counts(hub, CO2)
    hub.take(hub.device.read(CO2, 640.0, NOW + 1_000))
    assert hub.rows(models.Belief) == []
    assert len(hub.rows(models.Reading)) == 722, "what it says is kept all the same"
    say(hub, 1, [500.0, 700.0] * 30, NOW + 2 * HOUR_MS)
    sensors.look(hub.engine, NOW + 2 * HOUR_MS)
    assert standing(hub) == []
    assert counts(hub, CO2)
    hub.now = NOW + 2 * HOUR_MS + MINUTE_MS
    hub.take(hub.device.read(CO2, 640.0, hub.now))
    assert len(hub.rows(models.Belief)) == 1


def test_looking_again_raises_nothing_again(hub: World) -> None:
    say(hub, 1, [20.0] * 60)
    for minutes in range(3):
        sensors.look(hub.engine, NOW + minutes * MINUTE_MS)
    assert standing(hub) == [("sensor_faulty", {"sensor": CO2, "fault": "out_of_range"})]
    assert len(hub.rows(models.SensorFault)) == 1


def test_sensors_are_looked_at_one_by_one_each_in_five_minutes(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A booking on its way to the doors waits for one of them at most."""
    room = {"site_id": 1, "room_id": HALL, "device_id": 1, "quantity": "light"}
    for number in range(30):
        hub.add(models.Sensor, **room, slug=f"light-{number}")
    judged: list[tuple[int, int]] = []
    really = sensors._judged

    def judging(connection: Any, sensor: Any, now: int) -> Any:
        judged.append((now, sensor.id))
        return really(connection, sensor, now)

    monkeypatch.setattr(sensors, "_judged", judging)
    looking, every = sensors.Looking(hub.engine), [row["id"] for row in hub.rows(models.Sensor)]
    for turn in range(300):
        looking.look(NOW + turn * 1_000)
    assert judged == [(NOW + turn * 1_000, sensor) for turn, sensor in enumerate(sorted(every))]
    looking.look(NOW + 300_000)
    assert judged[-1] == (NOW + 300_000, judged[0][1]), "the next round"
    for _ in every[1:]:
        looking.look(NOW + 300_000)
    looking.look(NOW - 10_000)
    assert judged[-1] == (NOW - 10_000, judged[0][1]), "a clock set back delays nothing"


def test_many_sensors_are_still_looked_at_in_five_minutes(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = {"site_id": 1, "room_id": HALL, "device_id": 1, "quantity": "light"}
    rows = [room | {"slug": f"light-{number}"} for number in range(500)]
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Sensor)), rows)
    some: list[int] = []
    monkeypatch.setattr(sensors, "look", lambda _engine, _now, only: some.append(len(only)))
    looking = sensors.Looking(hub.engine)
    for turn in range(300):
        looking.look(NOW + turn * 1_000)
    assert sum(some) == len(hub.rows(models.Sensor))
    assert max(some) <= 4


def test_a_device_that_is_just_back_has_no_silent_sensors_yet(hub: World) -> None:
    """It was away for an hour, and what it kept is on its way."""
    say(hub, 2, [0.0, 1.0] * 10, NOW - HOUR_MS)
    hub.set(models.Device, "dorf-1", online=True, status_at=NOW - MINUTE_MS)
    sensors.look(hub.engine, NOW)
    assert standing(hub) == []
    sensors.look(hub.engine, NOW + 5 * MINUTE_MS)
    assert standing(hub) == [("sensor_faulty", {"sensor": PIR, "fault": "silent"})]


def test_an_unplugged_sensor_is_silent_but_not_while_its_device_is_away(hub: World) -> None:
    say(hub, 2, [0.0, 1.0] * 10, NOW - HOUR_MS)
    hub.set(models.Device, "dorf-1", online=False)
    sensors.look(hub.engine, NOW)
    assert standing(hub) == []
    hub.set(models.Device, "dorf-1", online=True)
    sensors.look(hub.engine, NOW)
    assert standing(hub) == [("sensor_faulty", {"sensor": PIR, "fault": "silent"})]


def test_a_sensor_that_never_spoke_is_no_fault(hub: World) -> None:
    sensors.look(hub.engine, NOW)
    assert hub.rows(models.SensorFault) == []


def test_a_fault_that_becomes_another_is_said_anew(hub: World) -> None:
    say(hub, 1, [640.0] * 721)
    sensors.look(hub.engine, NOW)
    sensors.look(hub.engine, NOW + HOUR_MS)
    assert standing(hub) == [("sensor_faulty", {"sensor": CO2, "fault": "silent"})]
    assert [row["kind"] for row in hub.rows(models.SensorFault)] == ["stuck", "silent"]


def test_of_two_sensors_of_the_same_air_the_other_steps_in(hub: World) -> None:
    row = {"site_id": 1, "room_id": HALL, "device_id": 1, "slug": "dorf-co2-b", "quantity": "co2"}
    hub.add(models.Sensor, **row)
    assert (counts(hub, CO2), counts(hub, "dorf-co2-b")) == (True, False)
    say(hub, 1, [640.0] * 721)
    sensors.look(hub.engine, NOW)
    assert (counts(hub, CO2), counts(hub, "dorf-co2-b")) == (False, True)


def test_of_two_alarms_of_silence_the_devices_own_stands(hub: World) -> None:
    say(hub, 2, [0.0, 1.0] * 10, NOW - HOUR_MS)
    told = f"{CO2}: no sound value for 20 min (check its power); {PIR}: no sound value"
    hub.now = NOW
    sensors.look(hub.engine, NOW)
    assert [kind for kind, _ in standing(hub)] == ["sensor_faulty"]
    row = {"kind": "sensor_silent", "site_id": 1, "device_id": 1, "at": NOW}
    own = hub.add(models.Alarm, **row, detail={"detail": told})
    sensors.look(hub.engine, NOW + MINUTE_MS)
    assert [kind for kind, _ in standing(hub)] == ["sensor_silent"]
    assert not counts(hub, PIR), "it is left out of the count all the same"
    sensors.look(hub.engine, NOW + 2 * MINUTE_MS)
    assert len(hub.rows(models.SensorFault)) == 2, "looking again changes nothing"
    with database.writing(hub.engine) as connection:
        connection.execute(update(ALARM).where(ALARM.c.id == own).values(cleared_at=NOW))
    sensors.look(hub.engine, NOW + 3 * MINUTE_MS)
    assert [kind for kind, _ in standing(hub)] == ["sensor_faulty"]


def test_a_devices_alarm_of_another_sensor_is_not_this_ones(hub: World) -> None:
    say(hub, 2, [0.0, 1.0] * 10, NOW - HOUR_MS)
    row = {"kind": "sensor_silent", "site_id": 1, "device_id": 1, "at": NOW}
    hub.add(models.Alarm, **row, detail={"detail": f"{PIR}-b: no sound value"})
    sensors.look(hub.engine, NOW)
    assert ("sensor_faulty", {"sensor": PIR, "fault": "silent"}) in standing(hub)
