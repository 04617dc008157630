"""Sites, doors and devices as the API shows them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update
from tests.hub.web_world import HOUR_MS, MINUTE_MS, NOW, World

from kokubus_hub import models
from kokubus_hub.database import writing
from kokubus_hub.models import table

DOOR = "ettmannsweiler-front"


def site(api: httpx.Client, slug: str) -> dict[str, Any]:
    answer = api.get(f"/api/v1/sites/{slug}")
    assert answer.status_code == 200
    return dict(answer.json())


def door(api: httpx.Client, slug: str = DOOR) -> dict[str, Any]:
    answer = api.get(f"/api/v1/doors/{slug}")
    assert answer.status_code == 200
    return dict(answer.json())


def test_every_site_of_the_network_is_listed(api: httpx.Client) -> None:
    listed = api.get("/api/v1/sites").json()
    assert {one["id"] for one in listed} == {
        "bad-liebenzell",
        "ebhausen",
        "ettmannsweiler",
        "kokubus",
        "ostelsheim",
    }


def test_a_building_stands_where_it_stands(api: httpx.Client) -> None:
    found = site(api, "ettmannsweiler")
    assert found["placement"]["municipality"] == "simmersfeld"
    assert not found["in_transit"]
    assert found["opening"] == {"open": True, "changes_at": "2026-09-21T18:00:00.000Z"}


def test_the_container_is_where_its_placement_says(world: World, api: httpx.Client) -> None:
    assert site(api, "kokubus")["placement"]["municipality_name"] == "Bad Herrenalb"
    with writing(world.engine) as connection:
        placement = table(models.Placement)
        connection.execute(
            update(placement).where(placement.c.end.is_(None)).values(end=NOW - HOUR_MS)
        )
    found = site(api, "kokubus")
    assert found["placement"] is None
    assert found["in_transit"]
    assert found["opening"] == {"open": False, "changes_at": None}


def test_a_closure_closes_until_the_hours_after_it(world: World, api: httpx.Client) -> None:
    of = world.id_of(models.Site, "ettmannsweiler")
    world.insert(models.Closure, site_id=of, start=NOW - HOUR_MS, end=NOW + HOUR_MS)
    assert site(api, "ettmannsweiler")["opening"] == {
        "open": False,
        "changes_at": "2026-09-21T15:13:20.000Z",
    }


def test_a_room_nobody_observed_has_no_count(api: httpx.Client) -> None:
    found = site(api, "ettmannsweiler")
    assert found["people"] is None
    assert [room["people"] for room in found["rooms"]] == [None, None]


def test_people_come_with_their_interval(world: World, api: httpx.Client) -> None:
    world.crowd("ettmannsweiler-hall", 0.02, 0.08, 0.8, 0.08, 0.02)
    people = site(api, "ettmannsweiler")["rooms"][0]["people"]
    assert (people["low"], people["median"], people["high"]) == (1, 2, 3)
    assert people["level"] == "free"
    assert people["presence"] == 0.98


def test_rooms_of_a_site_add_up(world: World, api: httpx.Client) -> None:
    world.crowd("ettmannsweiler-hall", 0.0, 0.0, 0.0, 1.0)
    world.crowd("ettmannsweiler-meeting", 0.0, 0.5, 0.5)
    people = site(api, "ettmannsweiler")["people"]
    assert (people["low"], people["high"], people["mean"]) == (4, 5, 4.5)


def test_a_count_grows_unsure_while_nothing_is_seen(world: World, api: httpx.Client) -> None:
    world.crowd("ettmannsweiler-hall", 0.0, 0.0, 0.0, 0.0, 1.0)
    assert site(api, "ettmannsweiler")["people"]["low"] == 4
    world.now += 2 * HOUR_MS
    later = site(api, "ettmannsweiler")["people"]
    assert later["low"] < 4 <= later["high"]
    assert later["at"] == "2026-09-21T16:13:20.000Z"


def test_a_door_of_a_device_never_heard_of_is_unknown(api: httpx.Client) -> None:
    found = door(api)
    assert (found["state"], found["device_online"]) == ("unknown", False)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"contact": "closed"}, "closed"),
        ({"contact": "open"}, "open"),
        ({"contact": "open", "held_since": NOW}, "held"),
        ({"contact": "open", "forced_at": NOW}, "forced"),
        ({"contact": None}, "unknown"),
    ],
)
def test_a_door_stands_as_its_device_says(
    world: World, api: httpx.Client, said: dict[str, Any], state: str
) -> None:
    world.online("ettmannsweiler-1")
    world.set(models.Door, DOOR, contact_at=NOW, **said)
    assert door(api)["state"] == state


def test_nobody_knows_how_the_doors_of_a_lost_device_stand(world: World, api: httpx.Client) -> None:
    world.set(models.Door, DOOR, contact="closed", contact_at=NOW - HOUR_MS)
    world.set(models.Device, "ettmannsweiler-1", online=False, status_at=NOW - MINUTE_MS)
    found = door(api)
    assert found["state"] == "unknown"
    assert found["since"] == "2026-09-21T14:12:20.000Z"


def test_lockdown_is_shown_over_free_passage(world: World, api: httpx.Client) -> None:
    of = world.id_of(models.Door, DOOR)
    world.insert(models.DoorMode, door_id=of, kind="lockdown", start=NOW - 1, end=None)
    world.insert(models.DoorMode, door_id=of, kind="free_passage", start=NOW - 1, end=NOW + 1)
    assert door(api)["mode"] == {
        "id": 1,
        "kind": "lockdown",
        "until": None,
        "reason": "",
    }


def test_a_mode_that_is_over_is_not_shown(world: World, api: httpx.Client) -> None:
    of = world.id_of(models.Door, DOOR)
    world.insert(models.DoorMode, door_id=of, kind="lockdown", start=NOW - 2, end=NOW)
    assert door(api)["mode"] is None


def test_devices_say_which_policy_they_hold(world: World, api: httpx.Client) -> None:
    world.set(
        models.Device,
        "kokubus-1",
        online=True,
        applied_epoch=1,
        applied_n=7,
        applied_sha256="ab" * 32,
        applied_at=NOW,
    )
    devices = {one["id"]: one for one in api.get("/api/v1/devices").json()}
    assert devices["kokubus-1"]["policy"]["n"] == 7
    assert devices["ebhausen-1"]["policy"] is None
    assert devices["ebhausen-1"]["online"] is None


def test_a_site_without_rooms_is_no_error(world: World, api: httpx.Client) -> None:
    with writing(world.engine) as connection:
        connection.execute(delete(table(models.Placement)))
    world.insert(models.Site, slug="empty", name="Empty", opening={})
    found = site(api, "empty")
    assert (found["capacity"], found["rooms"], found["placement"]) == (0, [], None)


@pytest.mark.parametrize("path", ["sites/nowhere", "doors/nowhere", "commands/none"])
def test_what_is_not_there_is_said_so(api: httpx.Client, path: str) -> None:
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert path.split("/")[1] in answer.json()["detail"]
