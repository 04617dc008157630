"""A platform pushes its bookings: the same again changes nothing, and what people did survives."""

from __future__ import annotations

from typing import Any

import httpx
from tests.hub.small_hub import rows
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import models
from kokubus_hub.times import iso

MEETING = "ettmannsweiler-meeting"
BOOKER = {"email": "nina@example.org", "name": "Nina Neu"}
WHEN = {"start": iso(NOW + HOUR_MS), "end": iso(NOW + 2 * HOUR_MS)}
LATER = {"start": iso(NOW + 5 * HOUR_MS), "end": iso(NOW + 6 * HOUR_MS)}


def push(api: httpx.Client, uid: str = "a/1", **more: Any) -> httpx.Response:
    said = {"room": MEETING, "booker": BOOKER} | WHEN | more
    return api.put(f"/api/v1/bookings/by-uid/cobot/{uid}", json=said)


def pushed(api: httpx.Client, uid: str = "a/1", **more: Any) -> dict[str, Any]:
    answer = push(api, uid, **more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_an_unknown_booker_becomes_a_guest_at_once(api: httpx.Client, world: World) -> None:
    made = pushed(api)
    (guest,) = rows(world.engine, models.Member)
    assert (guest["kind"], guest["name"], guest["email"]) == ("guest", "Nina Neu", BOOKER["email"])
    assert (made["member"], made["source"], made["uid"]) == (guest["slug"], "push:cobot", "a/1")
    assert {one["state"] for one in made["delivery"]} == {"waiting"}
    assert [one["member"] for one in made["access"]] == [guest["slug"]]


def test_the_same_again_changes_nothing(api: httpx.Client, world: World) -> None:
    made = pushed(api)
    before = world.change()
    assert pushed(api) == made
    assert world.change() == before
    assert len(rows(world.engine, models.Booking)) == 1


def test_a_change_and_a_cancellation(api: httpx.Client) -> None:
    made = pushed(api)
    moved = pushed(api, **LATER, title="Yoga")
    assert (moved["id"], moved["start"], moved["title"]) == (made["id"], LATER["start"], "Yoga")
    gone = pushed(api, **LATER, title="Yoga", cancelled=True)
    assert gone["status"] == "cancelled"
    back = pushed(api, **LATER, title="Yoga")
    assert (back["id"], back["status"]) == (made["id"], "confirmed")
    taken = api.delete("/api/v1/bookings/by-uid/cobot/a/1").json()
    assert taken["status"] == "cancelled"
    assert pushed(api, **LATER, title="Yoga", cancelled=True)["status"] == "cancelled"


def test_what_people_changed_survives_what_the_platform_says_again(
    api: httpx.Client, world: World
) -> None:
    made = pushed(api)
    longer = iso(NOW + 3 * HOUR_MS)
    api.patch(f"/api/v1/bookings/{made['id']}", json={"end": longer})
    assert pushed(api)["end"] == longer
    titled = pushed(api, title="Yoga")
    assert (titled["end"], titled["title"]) == (longer, "Yoga")
    assert rows(world.engine, models.Doubt) == []
    kept = pushed(api, **LATER, title="Yoga")
    assert kept["end"] == longer
    (doubt,) = rows(world.engine, models.Doubt)
    assert (doubt["kind"], doubt["detail"]["parts"]) == ("changed_twice", ["when"])


def test_what_was_cancelled_by_hand_stays_so(api: httpx.Client) -> None:
    made = pushed(api)
    api.delete(f"/api/v1/bookings/{made['id']}")
    assert pushed(api)["status"] == "cancelled"
    assert pushed(api, title="Yoga")["status"] == "cancelled"


def test_two_platforms_names_are_not_one_name(api: httpx.Client) -> None:
    made = pushed(api)
    said = {"room": MEETING, "booker": BOOKER} | LATER
    other = api.put("/api/v1/bookings/by-uid/anny/a/1", json=said).json()
    assert other["id"] != made["id"]


def test_what_cannot_be_leaves_nothing_behind(api: httpx.Client, world: World) -> None:
    pushed(api)
    before = world.change()
    someone = {"email": "neu@example.org"}
    assert push(api, "b", booker=someone).status_code == 409
    assert push(api, "b", booker=someone, room="nowhere").status_code == 404
    assert push(api, "b", booker={"email": "nobody"}).status_code == 422
    assert push(api, "b", end=WHEN["start"], start=WHEN["end"]).status_code == 422
    assert push(api, "b", surprise=1).status_code == 422
    assert push(api, "b", cancelled=True).status_code == 404
    assert api.delete("/api/v1/bookings/by-uid/cobot/b").status_code == 404
    assert len(rows(world.engine, models.Member)) == 1, "no guest of a booking that was refused"
    assert world.change() == before
