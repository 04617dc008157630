"""The network's places in memory: exact as of a change, and read anew after any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.intake_world import (
    AIR,
    BACK,
    CO2,
    FRONT,
    HALL,
    HOUR_MS,
    INNER,
    NOW,
    PIR,
    STUDIO,
    World,
    world,
)

from kokubus.messages import Side
from kokubus.occupancy import Sensor
from kokubus.rights import AntiPassback, ModeKind
from kokubus_hub import changes, database, models, places
from kokubus_hub.places import Places


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def read(hub: World, known: Places | None = None) -> Places:
    with database.reading(hub.engine) as connection:
        return places.current(connection, known)


def test_without_a_change_the_copy_is_kept(hub: World) -> None:
    known = read(hub)
    assert read(hub, known) is known
    with database.writing(hub.engine) as connection:
        changes.record(connection, NOW, "anything")
    renewed = read(hub, known)
    assert renewed is not known
    assert (renewed.change, renewed.held) == (known.change + 1, {})


def test_devices(hub: World) -> None:
    hub.set(models.Device, "dorf-2", revoked_at=NOW)
    known = read(hub).devices
    assert {slug: (one.id, one.revoked) for slug, one in known.items()} == {
        "dorf-1": (1, False),
        "dorf-2": (2, True),
    }


def test_doors_lead_into_rooms_and_the_rooms_behind(hub: World) -> None:
    doors = read(hub).doors
    assert doors[FRONT].rules.rooms == ("dorf-hall", "dorf-studio")
    assert doors[INNER].rules.rooms == ("dorf-studio",)
    assert (doors[BACK].device_id, doors[BACK].has_contact) == (2, False)
    assert read(hub).door_slugs == {1: FRONT, 2: INNER, 3: BACK}


@pytest.mark.parametrize(
    ("door", "side", "ways"),
    [
        (FRONT, Side.IN, [(HALL, Side.IN)]),
        (FRONT, None, [(HALL, None)]),
        (INNER, Side.IN, [(STUDIO, Side.IN), (HALL, Side.OUT)]),
        (INNER, Side.OUT, [(STUDIO, Side.OUT), (HALL, Side.IN)]),
        (INNER, None, [(STUDIO, None), (HALL, None)]),
    ],
)
def test_a_door_between_two_rooms_is_a_way_out_of_one(
    hub: World, door: str, side: Side | None, ways: list[tuple[int, Side | None]]
) -> None:
    assert read(hub).doors[door].ways(side) == ways


def test_what_holds_at_a_door(hub: World) -> None:
    hub.set(models.Door, FRONT, anti_passback="deny", reads_both_sides=True, min_assurance=2)
    hub.set(models.Site, "dorf", lead_ms=1, grace_ms=2, opens_without_clock=True)
    hub.add(models.Closure, site_id=1, start=NOW, end=NOW + HOUR_MS)
    hub.add(models.DoorMode, door_id=1, kind="lockdown", start=NOW)
    door = read(hub).doors[FRONT]
    rules = door.rules
    assert (rules.lead_ms, rules.grace_ms, rules.opens_without_clock) == (1, 2, True)
    assert (rules.closures, rules.min_assurance) == (((NOW, NOW + HOUR_MS),), 2)
    assert [(mode.kind, mode.end) for mode in rules.modes] == [(ModeKind.LOCKDOWN, None)]
    assert (rules.anti_passback, door.passback) == (AntiPassback.DENY, True)
    inner = read(hub).doors[INNER]
    assert (inner.rules.modes, inner.passback, inner.rules.closures) == ((), False, rules.closures)


def test_a_rooms_model_knows_what_sees_it(hub: World) -> None:
    rooms = read(hub).rooms
    assert rooms[HALL].model.sensors == {Sensor.BADGE, Sensor.CO2, Sensor.PIR}
    assert rooms[STUDIO].model.sensors == {Sensor.BADGE}
    assert (rooms[HALL].model.capacity, rooms[HALL].model.volume_m3) == (8, 90.0)


def test_sensors_belong_to_their_device(hub: World) -> None:
    known = read(hub).sensors
    assert {key: one.quantity for key, one in known.items()} == {
        (1, CO2): "co2",
        (1, PIR): "pir",
        (1, AIR): "temperature",
    }


def test_keyholders_open_every_door_of_their_sites(hub: World) -> None:
    badge = hub.badge()
    hub.add(models.Keyholder, site_id=1, badge_id=badge)
    assert set(read(hub).keyholders[badge]) == {FRONT, INNER, BACK}


@pytest.mark.parametrize(
    ("opening", "opens"),
    [({}, False), ({"mon": ["08:00-20:00"]}, True), ({"mon": ["17:00-20:00"]}, False)],
)
def test_opening_hours(hub: World, opening: dict[str, list[str]], opens: bool) -> None:
    hub.set(models.Site, "dorf", opening=opening)
    assert read(hub).timetable(1, NOW, NOW).open_at(NOW) is opens
