"""Of every tap three facts: the tap, the hub's answer, and what the door did."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.web_world import MINUTE_MS, NOW, World

DOOR, OTHER = "ettmannsweiler-front", "kokubus-door"


@pytest.fixture(autouse=True)
def ada(world: World) -> None:
    world.member("Ada Beispiel")


def events(api: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/api/v1/events", params=query)
    assert answer.status_code == 200
    return list(answer.json()["items"])


def test_a_tap_that_was_answered_obeyed_and_used(world: World, api: httpx.Client) -> None:
    tap = world.tap(DOOR, 1, "booked", granted=True, right="b7")
    world.enforced(tap, DOOR, "booked", granted=True)
    world.passed(DOOR, tap=tap, side="in", member_id=1, at=NOW + 1_500)
    [event] = events(api)
    assert (event["door"], event["site"], event["member"]) == (DOOR, "ettmannsweiler", "m-00000001")
    assert event["decision"]["right"] == "b7"
    assert event["enforced"]["by"] == "hub"
    assert event["entry"] == {"at": "2026-09-21T14:13:21.500Z", "entered": True, "side": "in"}


def test_the_doors_own_decision_stands_beside_the_hubs(world: World, api: httpx.Client) -> None:
    tap = world.tap(DOOR, 1, "no_booking", granted=False)
    world.enforced(tap, DOOR, "booked", granted=True, by="edge")
    [event] = events(api)
    assert (event["decision"]["granted"], event["enforced"]["granted"]) == (False, True)
    assert event["enforced"]["by"] == "edge"


def test_a_late_tap_was_not_decided_by_the_hub(world: World, api: httpx.Client) -> None:
    world.tap(DOOR, 1, "", granted=True, late=True, decided_at=None)
    world.engine.dispose()
    [event] = events(api)
    assert event["late"]


def test_nobody_went_in(world: World, api: httpx.Client) -> None:
    tap = world.tap(DOOR, 1, "booked", granted=True)
    world.said("no_entry", DOOR, tap=tap, at=NOW + 5_000)
    [event] = events(api)
    assert event["enforced"] is None
    assert event["entry"]["entered"] is False


def test_instants_in_a_reasons_detail_are_iso(world: World, api: httpx.Client) -> None:
    world.tap(DOOR, 1, "too_early", granted=False, detail={"from": NOW + MINUTE_MS})
    world.tap(DOOR, 1, "wrong_place", granted=False, detail={"where": "kokubus-cabin"})
    wrong, early = events(api)
    assert early["decision"]["detail"] == {"from": "2026-09-21T14:14:20.000Z"}
    assert wrong["decision"]["detail"] == {"where": "kokubus-cabin"}


def test_events_come_newest_first_or_are_followed(world: World, api: httpx.Client) -> None:
    for _ in range(5):
        world.tap(DOOR, None, "badge_unknown", granted=False)
    page = api.get("/api/v1/events", params={"limit": 2}).json()
    assert [one["id"] for one in page["items"]] == [5, 4]
    assert [one["id"] for one in events(api, before=page["next"])] == [3, 2, 1]
    assert [one["id"] for one in events(api, after=3)] == [4, 5]
    assert events(api, after=5) == []


def test_events_are_found_by_place_and_person(world: World, api: httpx.Client) -> None:
    world.tap(DOOR, 1, "booked", granted=True)
    world.tap(OTHER, None, "badge_unknown", granted=False)
    assert [one["door"] for one in events(api, site="kokubus")] == [OTHER]
    assert [one["door"] for one in events(api, door=DOOR)] == [DOOR]
    assert [one["id"] for one in events(api, member="m-00000001")] == [1]


def test_one_event_by_its_id(world: World, api: httpx.Client) -> None:
    world.tap(DOOR, 1, "booked", granted=True)
    assert api.get("/api/v1/events/1").json() == events(api)[0]
    assert api.get("/api/v1/events/2").status_code == 404


def test_a_tap_at_a_door_unknown_here_is_shown_too(world: World, api: httpx.Client) -> None:
    world.tap(DOOR, None, "door_unknown", granted=False, door_id=None)
    [event] = events(api)
    assert (event["door"], event["site"]) == (None, None)


def test_passages_are_followed(world: World, api: httpx.Client) -> None:
    world.passed(DOOR, exit_requested=True)
    world.passed(OTHER, side="in", tap="tap-9", member_id=1)
    newest, first = api.get("/api/v1/passages").json()["items"]
    assert (first["exit_requested"], first["tap"], first["member"]) == (True, None, None)
    assert (newest["side"], newest["member"], newest["site"]) == ("in", "m-00000001", "kokubus")
    followed = api.get("/api/v1/passages", params={"after": 1, "limit": 1}).json()
    assert (followed["items"], followed["next"]) == ([newest], 2)


def test_no_name_leaves_with_an_event(world: World, api: httpx.Client) -> None:
    tap = world.tap(DOOR, 1, "booked", granted=True)
    world.passed(DOOR, tap=tap, side="in", member_id=1)
    for path in ("events", "passages"):
        assert "Ada" not in api.get(f"/api/v1/{path}").text
