"""The page a coordinator works with: who comes, who came, passes, badges, doors."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.hub.small_hub import rows
from tests.hub.test_api_bookings import HALL, MEETING
from tests.hub.test_unknown_badges import seen
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import models
from kokubus_hub.security import COOKIE
from kokubus_hub.today.day import bounds

SITE, DEVICE, FRONT = "ettmannsweiler", "ettmannsweiler-1", "ettmannsweiler-front"


@pytest.fixture
def desk(world: World, anybody: httpx.Client) -> httpx.Client:
    """A browser in which an operator is signed in."""
    started = world.session(world.operator())
    anybody.cookies.set(COOKIE, started.token)
    anybody.headers["Accept-Language"] = "en"
    anybody.headers["X-Test-Csrf"] = started.csrf
    return anybody


def page(desk: httpx.Client, site: str = SITE, **query: str) -> str:
    answer = desk.get(f"/today/{site}", params=query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def send(desk: httpx.Client, what: str, **fields: object) -> httpx.Response:
    said = {"csrf": desk.headers["X-Test-Csrf"]} | {key: str(one) for key, one in fields.items()}
    return desk.post(f"/today/{SITE}/{what}", data=said, follow_redirects=True)


def test_it_shows_who_comes_and_whether_the_doors_know(world: World, desk: httpx.Client) -> None:
    ada = world.member("Ada Beispiel")
    booking = world.book(ada, HALL, NOW - HOUR_MS, NOW + HOUR_MS)
    world.book(ada, MEETING, NOW + 24 * HOUR_MS, NOW + 25 * HOUR_MS)  # tomorrow
    world.online(DEVICE, applied=0)
    shown = page(desk)
    assert shown.count("Ada Beispiel") == 1
    assert "15:13–17:13" in shown
    assert "not yet delivered" in shown
    change = next(row for row in rows(world.engine, models.Booking) if row["id"] == booking)
    world.online(DEVICE, applied=change["change_id"])
    assert "on the doors since 16:13" in page(desk)


def test_a_door_that_will_not_have_it_is_named(world: World, desk: httpx.Client) -> None:
    """On both pages: waiting is no use, somebody has to see to the door."""
    world.book(world.member("Ada Beispiel"), HALL, NOW - HOUR_MS, NOW + HOUR_MS)
    world.set(models.Device, DEVICE, online=True, status_at=NOW - HOUR_MS)
    world.now = NOW + 60_000
    live = desk.get("/").text
    for shown in (page(desk), re.sub(r"\s+", " ", live)):
        assert "failed: Haustür does not confirm it" in shown
        assert "not yet delivered" not in shown
    world.set(models.Device, DEVICE, revoked_at=NOW)
    assert "failed: the device of Haustür was revoked" in page(desk)
    world.set(models.Device, DEVICE, revoked_at=None, lookup_key=None)
    assert "failed: Haustür has no device" in page(desk)


def test_whoever_went_in_has_arrived(world: World, desk: httpx.Client) -> None:
    ada = world.member("Ada Beispiel")
    world.book(ada, HALL, NOW - HOUR_MS, NOW + HOUR_MS)
    world.passed(FRONT, at=NOW - 24 * HOUR_MS, member_id=ada)
    assert "arrived" not in page(desk)
    world.passed(FRONT, at=NOW - 30 * 60_000, member_id=ada)
    assert "arrived 15:43" in page(desk)


def test_whoever_left_or_was_elsewhere_has_not_arrived(world: World, desk: httpx.Client) -> None:
    ada = world.member("Ada Beispiel")
    world.book(ada, HALL, NOW - HOUR_MS, NOW + HOUR_MS)
    world.passed("kokubus-door", at=NOW - 30 * 60_000, member_id=ada, side="in")
    world.passed(FRONT, at=NOW - 20 * 60_000, member_id=ada, side="out")
    assert "arrived" not in page(desk)


def test_a_guest_gets_a_pass_at_the_desk(world: World, desk: httpx.Client) -> None:
    answer = send(desk, "invite", name="Gina Gast", room=HALL, until="18:00")
    assert "has a pass" in answer.text
    (booking,) = rows(world.engine, models.Booking)
    assert (booking["start"], booking["end"]) == (NOW, NOW + 6_400_000)
    link = re.search('href="(/pass/[^"]+)"', answer.text)
    assert link
    assert "Your PIN" in desk.get(link[1]).text
    (guest,) = rows(world.engine, models.Member)
    assert (guest["kind"], guest["name"], guest["email"]) == ("guest", "Gina Gast", None)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"until": "late"}, "like 17:30"),
        ({"room": "ostelsheim-hall"}, "no room"),
        ({"name": " "}, "needs a name"),
    ],
)
def test_a_pass_that_cannot_be_is_refused_and_nothing_is_kept(
    world: World, desk: httpx.Client, fields: dict[str, str], said: str
) -> None:
    answer = send(desk, "invite", **({"name": "Gast", "room": HALL, "until": "18:00"} | fields))
    assert answer.status_code in (404, 422)
    assert said in answer.text
    assert rows(world.engine, models.Booking) == []
    assert rows(world.engine, models.Member) == []


def test_an_unknown_badge_is_claimed_by_name(world: World, desk: httpx.Client) -> None:
    world.member("Ada Beispiel")
    badge = seen(world, door_id=world.id_of(models.Door, FRONT))
    assert "tapped once" in page(desk)
    answer = send(desk, "claim", badge=badge, member="Ada Beispiel (m-00000001)", label="K-9")
    assert "is enrolled" in answer.text
    (made,) = rows(world.engine, models.Badge)
    assert (made["member_id"], made["label"]) == (1, "K-9")
    wrong = send(desk, "claim", badge=badge, member="m-00000001")
    assert wrong.status_code == 404


def test_a_door_is_opened_with_a_reason(world: World, desk: httpx.Client) -> None:
    world.online(DEVICE)
    assert send(desk, "unlock", door=FRONT, reason=" x ").status_code == 422
    answer = send(desk, "unlock", door=FRONT, reason="Post")
    assert "told to open" in answer.text
    (command,) = rows(world.engine, models.Command)
    assert (command["reason"], command["outcome"]) == ("Post", "sent")
    assert send(desk, "unlock", door="ostelsheim-front", reason="Post").status_code == 404


def test_a_form_from_elsewhere_does_nothing(world: World, desk: httpx.Client) -> None:
    world.online(DEVICE)
    told = {"door": FRONT, "reason": "Post", "csrf": "guessed"}
    assert desk.post(f"/today/{SITE}/unlock", data=told).status_code == 403
    told["csrf"] = desk.headers["X-Test-Csrf"]
    foreign = {"Origin": "https://evil.example.org"}
    assert desk.post(f"/today/{SITE}/unlock", data=told, headers=foreign).status_code == 403
    assert rows(world.engine, models.Command) == []


def test_whoever_is_not_signed_in_is_asked_to(anybody: httpx.Client) -> None:
    answer = anybody.get(f"/today/{SITE}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert (
        anybody.post(f"/today/{SITE}/unlock", data={"door": "d", "reason": "r"}).status_code == 401
    )


def test_it_says_that_the_place_is_closed(world: World, desk: httpx.Client) -> None:
    assert "closed" not in page(desk).partition("Bookings today")[0]
    site = world.id_of(models.Site, SITE)
    world.insert(models.Closure, site_id=site, start=NOW - 1, end=NOW + HOUR_MS)
    assert "closed, opens 17:13" in page(desk).partition("Bookings today")[0]


def test_a_booking_of_several_days_says_which(world: World, desk: httpx.Client) -> None:
    ada = world.member("Ada Beispiel")
    world.book(ada, HALL, NOW - 24 * HOUR_MS, NOW + HOUR_MS)
    assert "Sun 20 Sept, 16:13–17:13" in page(desk)


def test_a_site_that_is_not_there(desk: httpx.Client) -> None:
    assert desk.get("/today/nowhere").status_code == 404


def test_a_day_may_have_23_or_25_hours() -> None:
    for day, hours in ((1_792_900_000_000, 25), (1_774_780_000_000, 23), (NOW, 24)):
        start, end = bounds("Europe/Berlin", day)
        assert start <= day < end
        assert end - start == hours * HOUR_MS
