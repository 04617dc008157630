"""Bookings and their way to the doors."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.small_hub import rows
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import models
from kokubus_hub.times import iso

HALL, MEETING = "ettmannsweiler-hall", "ettmannsweiler-meeting"
MEMBER = "m-00000001"
DAY_MS = 24 * HOUR_MS


@pytest.fixture(autouse=True)
def ada(world: World) -> None:
    world.member("Ada Beispiel")


def book(api: httpx.Client, room: str = HALL, **more: Any) -> httpx.Response:
    wanted = {"start": iso(NOW), "end": iso(NOW + HOUR_MS)} | more
    given = {name: value for name, value in wanted.items() if value is not None}
    return api.post("/api/v1/bookings", json={"room": room, "member": MEMBER} | given)


def booked(api: httpx.Client, room: str = HALL, **more: Any) -> dict[str, Any]:
    answer = book(api, room, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def again(api: httpx.Client, booking: dict[str, Any]) -> dict[str, Any]:
    return dict(api.get(f"/api/v1/bookings/{booking['id']}").json())


def change_of(world: World, booking: dict[str, Any]) -> int:
    row = next(one for one in rows(world.engine, models.Booking) if one["id"] == booking["id"])
    return int(row["change_id"])


def test_a_booking_names_the_change_the_doors_confirm(world: World, api: httpx.Client) -> None:
    made = booked(api, title="Probe")
    newest = rows(world.engine, models.Change)[-1]
    assert change_of(world, made) == newest["id"]
    assert newest["site_id"] == world.id_of(models.Site, "ettmannsweiler")
    assert (made["start"], made["end"]) == (iso(NOW), iso(NOW + HOUR_MS))
    assert (made["status"], made["title"], made["source"]) == ("confirmed", "Probe", "hub")


def test_it_waits_until_the_door_has_reported_it(world: World, api: httpx.Client) -> None:
    made = booked(api)
    world.online("ettmannsweiler-1", applied=change_of(world, made) - 1)
    [waiting] = again(api, made)["delivery"]
    assert (waiting["state"], waiting["why"]) == ("waiting", "")
    assert waiting["since"] == made["changed_at"]
    world.now += 500
    world.online("ettmannsweiler-1", applied=change_of(world, made))
    found = again(api, made)
    assert found["delivered"]
    assert found["delivery"][0] == {
        "door": "ettmannsweiler-front",
        "state": "on_the_door",
        "since": iso(NOW + 500),
        "why": "",
    }


def test_every_door_on_the_way_needs_it(world: World, api: httpx.Client) -> None:
    made = booked(api, MEETING)
    assert [one["door"] for one in made["delivery"]] == [
        "ettmannsweiler-front",
        "ettmannsweiler-meeting-door",
    ]


def test_a_door_is_judged_by_its_own_device_alone(world: World, api: httpx.Client) -> None:
    made = booked(api)
    world.online("ettmannsweiler-1", applied=change_of(world, made))
    site = world.id_of(models.Site, "ettmannsweiler")
    world.insert(
        models.Device, slug="ettmannsweiler-9", site_id=site, lookup_key=b"k", online=False
    )
    assert again(api, made)["delivered"]


def test_a_door_without_connection_is_named_as_the_cause(api: httpx.Client) -> None:
    assert booked(api)["delivery"][0]["why"] == "offline"


def test_beyond_what_policies_hold_it_is_not_on_the_door_yet(
    world: World, api: httpx.Client
) -> None:
    start, end = NOW + 7 * DAY_MS, NOW + 7 * DAY_MS + HOUR_MS
    made = booked(api, start=iso(start), end=iso(end))
    world.online("ettmannsweiler-1", applied=change_of(world, made))
    [waiting] = again(api, made)["delivery"]
    assert (waiting["state"], waiting["why"]) == ("waiting", "later")
    world.now += HOUR_MS
    world.online("ettmannsweiler-1", applied=change_of(world, made))
    assert again(api, made)["delivered"]


def test_a_cancellation_has_to_reach_the_doors_too(world: World, api: httpx.Client) -> None:
    made = booked(api)
    world.online("ettmannsweiler-1", applied=change_of(world, made))
    cancelled = api.delete(f"/api/v1/bookings/{made['id']}").json()
    assert (cancelled["status"], cancelled["delivered"]) == ("cancelled", False)
    world.online("ettmannsweiler-1", applied=change_of(world, cancelled))
    assert again(api, made)["delivered"]


def test_cancelling_twice_changes_nothing(world: World, api: httpx.Client) -> None:
    made = booked(api)
    once = api.delete(f"/api/v1/bookings/{made['id']}").json()
    before = len(rows(world.engine, models.Change))
    assert api.delete(f"/api/v1/bookings/{made['id']}").json() == once
    assert len(rows(world.engine, models.Change)) == before


def test_a_whole_day_is_kept_as_its_date(world: World, api: httpx.Client) -> None:
    made = booked(api, start=None, end=None, date="2026-09-22")
    assert made["date"] == "2026-09-22"
    assert (made["start"], made["end"]) == ("2026-09-21T22:00:00.000Z", "2026-09-22T22:00:00.000Z")
    [row] = rows(world.engine, models.Booking)
    assert row["whole_day"]


def test_a_closed_day_cannot_be_booked_as_a_whole(api: httpx.Client) -> None:
    answer = book(api, start=None, end=None, date="2026-09-27")
    assert answer.status_code == 422
    assert "closed" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"end": iso(NOW - 1), "start": iso(NOW - HOUR_MS)}, "past"),
        ({"end": iso(NOW)}, "ends before"),
        ({"end": iso(NOW + 400 * DAY_MS)}, "year"),
        ({"end": "2026-09-21T18:00:00"}, "timezone"),
        ({"end": "tomorrow"}, "end"),
        ({"end": None}, "start"),
        ({"date": "2026-09-22"}, "date"),
        ({"end": "9999-01-01T00:00:00Z"}, "end"),
        ({"title": "x" * 201}, "title"),
    ],
)
def test_what_cannot_be_booked_changes_nothing(
    world: World, api: httpx.Client, wanted: dict[str, Any], said: str
) -> None:
    before = len(rows(world.engine, models.Change))
    answer = book(api, **wanted)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert not rows(world.engine, models.Booking)
    assert len(rows(world.engine, models.Change)) == before


def test_rooms_and_members_have_to_exist(api: httpx.Client) -> None:
    assert book(api, "nowhere").status_code == 404
    assert book(api, member="m-nobody00").status_code == 404


def test_a_member_has_a_room_once_at_a_time(api: httpx.Client) -> None:
    made = booked(api)
    answer = book(api, start=iso(NOW + HOUR_MS // 2), end=iso(NOW + 2 * HOUR_MS))
    assert answer.status_code == 409
    assert str(made["id"]) in answer.json()["detail"]
    assert book(api, start=made["end"], end=iso(NOW + 2 * HOUR_MS)).status_code == 201
    assert book(api, MEETING).status_code == 201


def test_what_was_cancelled_can_be_booked_again(api: httpx.Client) -> None:
    made = booked(api)
    api.delete(f"/api/v1/bookings/{made['id']}")
    assert book(api).status_code == 201


def test_a_container_in_transit_cannot_be_booked(world: World, api: httpx.Client) -> None:
    start, end = "2025-10-04T10:00:00Z", "2025-10-04T11:00:00Z"
    world.now = NOW - 400 * DAY_MS
    answer = book(api, "kokubus-cabin", start=start, end=end)
    assert answer.status_code == 409
    assert "transit" in answer.json()["detail"]


def test_bookings_are_found_by_place_person_and_time(world: World, api: httpx.Client) -> None:
    other = world.member("Bruno Muster")
    first, second = (
        booked(api),
        booked(api, MEETING, start=iso(NOW + 2 * HOUR_MS), end=iso(NOW + 3 * HOUR_MS)),
    )
    third = world.book(other, "kokubus-cabin", NOW, NOW + HOUR_MS)

    def found(**query: Any) -> list[int]:
        page = api.get("/api/v1/bookings", params=query).json()
        return [one["id"] for one in page["items"]]

    assert found() == [first["id"], second["id"], third]
    assert found(site="ettmannsweiler") == [first["id"], second["id"]]
    assert found(room=MEETING) == [second["id"]]
    assert found(member="m-00000002") == [third]
    assert found(after=iso(NOW + HOUR_MS)) == [second["id"]]
    assert found(before=iso(NOW + HOUR_MS), site="kokubus") == [third]


def test_bookings_are_paged(api: httpx.Client, world: World) -> None:
    made = [world.book(1, HALL, NOW + n * HOUR_MS, NOW + (n + 1) * HOUR_MS) for n in range(3)]
    first = api.get("/api/v1/bookings", params={"limit": 2}).json()
    rest = api.get("/api/v1/bookings", params={"limit": 2, "next": first["next"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made
    assert rest["next"] is None


def test_bookings_of_a_span_are_paged_as_they_begin(api: httpx.Client, world: World) -> None:
    later = world.book(1, HALL, NOW + HOUR_MS, NOW + 2 * HOUR_MS)
    first, same = (world.book(1, HALL, NOW, NOW + HOUR_MS) for _ in range(2))
    long = world.book(1, HALL, NOW - 9 * DAY_MS, NOW + 1)
    asked: dict[str, Any] = {"after": iso(NOW), "before": iso(NOW + DAY_MS), "limit": 1}
    found = []
    while (page := api.get("/api/v1/bookings", params=asked).json())["next"] is not None:
        found += [one["id"] for one in page["items"]]
        asked["next"] = page["next"]
    assert found == [long, first, same, later]
    assert page["items"] == []


def test_a_page_of_another_list_is_refused(api: httpx.Client, world: World) -> None:
    world.book(1, HALL, NOW, NOW + HOUR_MS)
    of_span = api.get("/api/v1/bookings", params={"after": iso(NOW), "limit": 1}).json()["next"]
    of_all = api.get("/api/v1/bookings", params={"limit": 1}).json()["next"]
    for wrong in ({"next": of_span}, {"next": of_all, "after": iso(NOW)}, {"next": "x"}):
        answer = api.get("/api/v1/bookings", params=wrong)
        assert answer.status_code == 422
        assert "next" in answer.text


def test_bookings_of_an_import_under_way_are_not_shown(world: World, api: httpx.Client) -> None:
    world.book(1, HALL, NOW, NOW + HOUR_MS, status="staged:confirmed")
    assert api.get("/api/v1/bookings").json()["items"] == []
    assert api.get("/api/v1/bookings/1").status_code == 404


def test_a_long_booking_is_found_on_each_of_its_days(api: httpx.Client) -> None:
    booked(api, MEETING)
    long = booked(api, start=iso(NOW), end=iso(NOW + 30 * DAY_MS))
    day = {"after": iso(NOW + 20 * DAY_MS), "before": iso(NOW + 21 * DAY_MS)}
    found = api.get("/api/v1/bookings", params=day).json()
    assert [one["id"] for one in found["items"]] == [long["id"]]
