"""Calendars, inbox, webhooks and published calendars over the API."""

from __future__ import annotations

import json
from typing import Any

import httpx
import icalendar
import pytest
from tests.hub.ics_server import Says, serving
from tests.hub.small_hub import rows
from tests.hub.test_import_ics import calendar, event
from tests.hub.web_world import HOUR_MS, NOW, World
from tests.loopback import asking

from kokubus_hub import database, models
from kokubus_hub.calendars import hooks
from kokubus_hub.calendars.polling import Poller
from kokubus_hub.imports import ics
from kokubus_hub.times import iso

HALL, MEETING = "ettmannsweiler-hall", "ettmannsweiler-meeting"
WHEN = ("DTSTART:20260922T090000Z", "DTEND:20260922T100000Z")


def poll(world: World) -> None:
    Poller(world.engine, world.keyring, lambda: world.now, {"localhost"}, read=ics.read).turn()


def follow(api: httpx.Client, says: Says, *events: str) -> None:
    says.content = calendar(*events)
    answer = api.put(f"/api/v1/calendars/{MEETING}", json={"url": says.url})
    assert answer.status_code == 200, answer.text


def confirmed(api: httpx.Client) -> list[dict[str, Any]]:
    return list(api.get("/api/v1/bookings", params={"status": "confirmed"}).json()["items"])


def test_a_calendar_is_followed(world: World, api: httpx.Client) -> None:
    ada = world.member("Ada Beispiel")
    with serving() as says:
        follow(api, says, event("a", *WHEN, who=f"ORGANIZER:mailto:m-{ada:08d}@example.org"))
        poll(world)
        state = api.get(f"/api/v1/calendars/{MEETING}").json()
        assert (state["state"], state["bookings"], state["room"]) == ("ok", 1, MEETING)
        assert "url" not in state
        assert [one["room"] for one in api.get("/api/v1/calendars").json()] == [MEETING]
        assert [one["member"] for one in confirmed(api)] == [f"m-{ada:08d}"]
        assert {one["state"] for one in confirmed(api)[0]["delivery"]} == {"waiting"}
        says.content = calendar()
        assert api.post(f"/api/v1/calendars/{MEETING}/poll").status_code == 200
        poll(world)
        assert api.get(f"/api/v1/calendars/{MEETING}").json()["state"] == "shrunk"
        assert api.post(f"/api/v1/calendars/{MEETING}/confirm").status_code == 200
        poll(world)
        assert confirmed(api) == []
    assert api.delete(f"/api/v1/calendars/{MEETING}").status_code == 204
    assert api.get(f"/api/v1/calendars/{MEETING}").status_code == 404


def test_what_is_no_calendar_to_follow(api: httpx.Client) -> None:
    for url in ("https://[a.example/a.ics", "https://example.org:port/a.ics"):
        assert api.put(f"/api/v1/calendars/{MEETING}", json={"url": url}).status_code == 422
    for url, status in (("ftp://example.org/a.ics", 422), ("https://", 422), ("x" * 2_001, 422)):
        assert api.put(f"/api/v1/calendars/{MEETING}", json={"url": url}).status_code == status
    answer = api.put("/api/v1/calendars/nowhere", json={"url": "https://example.org/a.ics"})
    assert answer.status_code == 404


def test_somebody_says_whose_address_it_is(world: World, api: httpx.Client) -> None:
    ada = world.member("Ada Beispiel")
    who = "ORGANIZER;CN=Ada B.:mailto:ada@firma.example"
    guest = "ATTENDEE;CN=Gustav Gast:mailto:gustav@example.org"
    nobody = "ATTENDEE:mailto:putzdienst@example.org"
    with serving() as says:
        follow(api, says, event("a", *WHEN, "SUMMARY:Probe", who="\r\n".join((who, guest, nobody))))
        poll(world)
        assert [(one["member"], one["title"]) for one in confirmed(api)] == [(None, "Probe")]
        inbox = api.get("/api/v1/inbox").json()["items"]
        by_address = {one["about"]: one for one in inbox}
        assert by_address["ada@firma.example"]["detail"]["name"] == "Ada B."

        def say(about: str, **what: Any) -> httpx.Response:
            return api.post(f"/api/v1/inbox/{by_address[about]['id']}", json=what)

        assert say("ada@firma.example", member=f"m-{ada:08d}").json()["settled"] == "member"
        assert say("gustav@example.org", guest=True).json()["settled"] == "guest"
        assert say("putzdienst@example.org").json()["settled"] == "nobody"
        assert say("putzdienst@example.org").status_code == 409
        poll(world)
        (booking,) = confirmed(api)
        made = rows(world.engine, models.Member)[-1]
        assert (booking["member"], booking["companions"]) == (f"m-{ada:08d}", [made["slug"]])
        assert (made["kind"], made["name"]) == ("guest", "Gustav Gast")
        assert api.get("/api/v1/inbox").json()["items"] == []
        assert len(api.get("/api/v1/inbox", params={"settled": True}).json()["items"]) == 3


def test_an_address_that_stands_in_two_calendars_is_asked_about_once(
    world: World, api: httpx.Client
) -> None:
    ada = world.member("Ada Beispiel")
    who = "ORGANIZER:mailto:ada@firma.example"
    with serving() as says:
        follow(api, says, event("a", *WHEN, who=who))
        assert api.put(f"/api/v1/calendars/{HALL}", json={"url": says.url}).status_code == 200
        poll(world)
        first, second = api.get("/api/v1/inbox").json()["items"]
        assert (first["about"], second["about"]) == ("ada@firma.example",) * 2
        said = {"member": f"m-{ada:08d}"}
        assert api.post(f"/api/v1/inbox/{second['id']}", json=said).status_code == 200
        assert api.post(f"/api/v1/inbox/{first['id']}", json=said).status_code == 409
        poll(world)
        assert [one["member"] for one in confirmed(api)] == [f"m-{ada:08d}"] * 2


def test_an_address_can_be_said_to_be_somebody_elses(world: World, api: httpx.Client) -> None:
    """Once it was nobody's, and the calendar that asks now is another's."""
    ada = world.member("Ada Beispiel")
    world.insert(models.EmailAlias, email="ada@firma.example", member_id=None, created_at=NOW)
    about = {"kind": "unknown_person", "about": "ada@firma.example", "at": NOW, "detail": {}}
    doubt = world.insert(models.Doubt, room_id=world.id_of(models.Room, HALL), **about)
    answer = api.post(f"/api/v1/inbox/{doubt}", json={"member": f"m-{ada:08d}"})
    assert answer.status_code == 200
    assert [row["member_id"] for row in rows(world.engine, models.EmailAlias)] == [ada]


def test_what_the_inbox_does_not_take(world: World, api: httpx.Client) -> None:
    with serving() as says:
        follow(api, says, event("a", *WHEN, who="CLASS:PUBLIC"))
        poll(world)
    (one,) = api.get("/api/v1/inbox").json()["items"]
    assert one["kind"] == "nobody"
    assert api.post(f"/api/v1/inbox/{one['id']}", json={"guest": True}).status_code == 422
    assert api.post("/api/v1/inbox/99", json={}).status_code == 404
    assert api.post(f"/api/v1/inbox/{one['id']}", json={}).json()["settled"] == "seen"


class Platform:
    """A platform that signs."""

    def __init__(self, world: World, api: httpx.Client, municipality: str | None = None) -> None:
        self.world, self.api = world, api
        with database.writing(world.engine) as connection:
            self.secret = hooks.add(connection, world.keyring, "anny", municipality, NOW)

    def body(self, **more: Any) -> bytes:
        said = {"uid": "7", "room": MEETING, "booker": {"email": "nina@example.org"}}
        said |= {"start": iso(NOW + HOUR_MS), "end": iso(NOW + 2 * HOUR_MS)}
        return json.dumps(said | more).encode()

    def push(
        self, body: bytes, at: int | str = NOW // 1000, signature: str | None = None
    ) -> httpx.Response:
        signed = hooks.sign(self.secret, str(at), body) if signature is None else signature
        headers = {"X-Kokubus-Timestamp": str(at), "X-Kokubus-Signature": signed}
        client = asking(self.api.base_url)  # without any token
        with client:
            return client.post("/api/v1/hooks/anny", content=body, headers=headers)


def test_a_signed_push(world: World, api: httpx.Client) -> None:
    platform = Platform(world, api)
    answer = platform.push(platform.body())
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["source"], made["uid"], made["status"]) == ("push:anny", "7", "confirmed")
    again = platform.push(platform.body(), at=NOW // 1000 + 1)
    assert again.json() == made
    gone = platform.push(platform.body(cancelled=True))
    assert gone.json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"signature": "sha256=" + "0" * 64}, 401),
        ({"signature": ""}, 401),
        ({"at": NOW // 1000 - 301}, 422),
        ({"at": NOW // 1000 + 301}, 422),
        ({"at": "soon"}, 401),
        ({"at": "9" * 30}, 401),
        ({"at": "-1"}, 401),
    ],
)
def test_a_push_that_is_not_believed(
    world: World, api: httpx.Client, how: dict[str, Any], status: int
) -> None:
    platform = Platform(world, api)
    answer = platform.push(platform.body(), **how)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert rows(world.engine, models.Booking) == []


def test_a_replay_is_refused(world: World, api: httpx.Client) -> None:
    platform = Platform(world, api)
    body = platform.body()
    assert platform.push(body).status_code == 200
    answer = platform.push(body)
    assert (answer.status_code, "already" in answer.json()["detail"]) == (409, True)


def test_what_failed_may_be_sent_again(world: World, api: httpx.Client) -> None:
    platform = Platform(world, api)
    taken = world.member("Ada Beispiel")
    busy = {"room": MEETING, "member": f"m-{taken:08d}"}
    span = {"start": iso(NOW + HOUR_MS), "end": iso(NOW + 2 * HOUR_MS)}
    made = api.post("/api/v1/bookings", json=busy | span).json()
    assert platform.push(platform.body()).status_code == 409
    assert rows(world.engine, models.HookSeen) == []
    api.delete(f"/api/v1/bookings/{made['id']}")
    assert platform.push(platform.body()).status_code == 200


def test_a_body_that_is_none(world: World, api: httpx.Client) -> None:
    platform = Platform(world, api)
    for body in (b"", b"{", b"[]", platform.body(room=7), platform.body(start=1), b"\xff"):
        answer = platform.push(body)
        assert answer.status_code == 422, body
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert platform.push(platform.body(title="x" * 70_000)).status_code == 413


def test_a_platform_books_in_its_own_municipality(world: World, api: httpx.Client) -> None:
    slugs = {row["slug"] for row in rows(world.engine, models.Municipality)}
    mine = {row["id"]: row["slug"] for row in rows(world.engine, models.Municipality)}
    site = world.id_of(models.Site, "ettmannsweiler")
    here = next(
        mine[row["municipality_id"]]
        for row in rows(world.engine, models.Placement)
        if row["site_id"] == site
    )
    elsewhere = min(slugs - {here})
    refused = Platform(world, api, elsewhere)
    answer = refused.push(refused.body())
    assert answer.status_code == 403
    assert "books elsewhere" in answer.json()["detail"]
    platform = Platform(world, api, here)
    assert platform.push(platform.body()).status_code == 200


def test_a_platform_that_was_revoked(world: World, api: httpx.Client) -> None:
    platform = Platform(world, api)
    with database.writing(world.engine) as connection:
        hooks.revoke(connection, "anny", NOW)
    assert platform.push(platform.body()).status_code == 401


def test_bookings_are_published_as_calendars(world: World, api: httpx.Client) -> None:
    ada, ben = (f"m-{world.member(name):08d}" for name in ("Ada Beispiel", "Ben Muster"))
    span = {"start": iso(NOW + HOUR_MS), "end": iso(NOW + 2 * HOUR_MS)}
    api.post("/api/v1/bookings", json={"room": MEETING, "member": ada, "companions": [ben]} | span)
    day = {"room": "ettmannsweiler-hall", "member": ada, "date": "2026-09-22", "title": "Tag"}
    api.post("/api/v1/bookings", json=day)

    def read(path: str) -> list[Any]:
        with asking(api.base_url) as anybody:
            answer = anybody.get(path)
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        return list(icalendar.Calendar.from_ical(answer.content).walk("VEVENT"))

    links = {
        name: api.post(f"/api/v1/{name}/calendar-link").json()["path"]
        for name in (f"rooms/{MEETING}", f"members/{ada}", f"members/{ben}")
    }
    (room,) = read(links[f"rooms/{MEETING}"])
    assert room["DTSTART"].dt.timestamp() * 1000 == NOW - NOW % 1000 + HOUR_MS
    assert "Ada" not in str(room.to_ical())
    mine = read(links[f"members/{ada}"])
    assert [str(one["DTSTART"].dt) for one in mine][1] == "2026-09-22"
    assert "Hauptstr" in str(mine[0]["LOCATION"]) or "," in str(mine[0]["LOCATION"])
    assert len(read(links[f"members/{ben}"])) == 1
    newer = api.post(f"/api/v1/members/{ada}/calendar-link").json()["path"]
    assert api.get(links[f"members/{ada}"]).status_code == 404
    assert api.delete(f"/api/v1/members/{ada}/calendar-link").status_code == 204
    assert api.get(newer).status_code == 404
    assert api.get("/calendar/" + "x" * 30 + ".ics").status_code == 404
