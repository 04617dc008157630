"""Guests: a PIN that is long enough, a link that shows it, and "active" only once it is."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.small_hub import rows
from tests.hub.test_api_bookings import HALL
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus.credential import PIN, Credential
from kokubus.enrolment import tried_first
from kokubus_hub import database, models
from kokubus_hub.guests import views
from kokubus_hub.people import passes, pins
from kokubus_hub.times import iso

DAY_MS = 24 * HOUR_MS
DEVICE = "ettmannsweiler-1"


def invite(api: httpx.Client, name: str = "gast", **more: Any) -> dict[str, Any]:
    """A booking that a platform pushes for somebody unknown."""
    said = {
        "room": HALL,
        "booker": {"email": f"{name}@example.org", "name": name.title()},
        "start": iso(NOW),
        "end": iso(NOW + HOUR_MS),
    }
    answer = api.put(f"/api/v1/bookings/by-uid/cobot/{name}", json=said | more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def page_of(booking: dict[str, Any], client: httpx.Client, **how: Any) -> httpx.Response:
    link = booking["access"][0]["link"]
    return client.get(link.removeprefix("http://127.0.0.1:8080"), **how)


def newest(world: World) -> int:
    return int(rows(world.engine, models.Change)[-1]["id"])


# --- how long a PIN has to be ------------------------------------------------------------


@given(st.dictionaries(st.integers(4, 7), st.integers(0, 12_000)))
def test_a_guess_never_meets_more_than_one_in_a_thousand(users: dict[int, int]) -> None:
    try:
        length = pins.length_for(users)
    except pins.NoPinError:
        assert all(users.get(n, 0) >= pins.codes(n) // 1_000 for n in range(4, 8))
        return
    assert pins.codes(length) / (users.get(length, 0) + 1) >= 1_000


def test_what_people_try_first_is_never_drawn() -> None:
    trivial = [f"{n:04d}" for n in range(10_000) if tried_first(f"{n:04d}")]
    assert {"0000", "1234", "4321", "7890", "9876"} <= set(trivial)
    assert 10_000 - len(trivial) == pins.codes(4)
    drawn = {pins.draw(4, lambda pin: pin[0] != "7") for _ in range(50)}
    assert all(pin.startswith("7") and not tried_first(pin) for pin in drawn)


def test_the_tenth_guest_of_a_site_gets_a_longer_pin(api: httpx.Client) -> None:
    lengths = Counter()
    for number in range(10):
        start = NOW + number * HOUR_MS
        span = {"start": iso(start), "end": iso(start + HOUR_MS)}
        lengths[len(invite(api, f"gast{number}", **span)["access"][0]["pin"])] += 1
    assert lengths == {4: 9, 5: 1}


# --- the pass ----------------------------------------------------------------------------


def test_an_unknown_booker_has_a_pass_at_once(world: World, api: httpx.Client) -> None:
    booking = invite(api)
    [access] = booking["access"]
    assert access["member"] == booking["member"]
    assert re.fullmatch("[0-9]{4}", access["pin"])
    assert access["active"] is False
    badge = next(row for row in rows(world.engine, models.Badge) if row["tech"] == PIN)
    assert badge["lookup"] == world.keyring.lookup(Credential(PIN, access["pin"]).text)
    stored = str(rows(world.engine, models.GuestPass)) + str(rows(world.engine, models.Badge))
    assert access["pin"] not in re.findall("[0-9]+", stored)
    assert access["link"].rpartition("/")[2] not in stored


def test_pushed_again_it_has_the_same_pass(api: httpx.Client) -> None:
    assert invite(api)["access"] == invite(api)["access"]


def test_one_guest_has_one_pin_for_all_bookings(api: httpx.Client) -> None:
    first = invite(api)["access"][0]
    later = {"start": iso(NOW + DAY_MS), "end": iso(NOW + DAY_MS + HOUR_MS)}
    said = {"room": HALL, "booker": {"email": "gast@example.org"}} | later
    second = api.put("/api/v1/bookings/by-uid/cobot/zwei", json=said).json()["access"][0]
    assert second["pin"] == first["pin"]
    assert second["link"] != first["link"]


def test_companions_have_their_own(api: httpx.Client) -> None:
    friend = {"email": "freundin@example.org", "name": "Freundin"}
    access = invite(api, companions=[friend], people=2)["access"]
    assert len({one["pin"] for one in access}) == len({one["member"] for one in access}) == 2


def test_whoever_has_a_badge_needs_no_pin(world: World, api: httpx.Client) -> None:
    member = world.member("Ada Beispiel")
    assert member == 1
    said = {"room": HALL, "member": "m-00000001", "start": iso(NOW), "end": iso(NOW + HOUR_MS)}
    assert api.post("/api/v1/bookings", json=said).json()["access"] == []


def test_lists_tell_no_pins(api: httpx.Client) -> None:
    invite(api)
    assert [one["access"] for one in api.get("/api/v1/bookings").json()["items"]] == [None]


def test_guests_of_a_calendar_get_theirs_from_the_worker(world: World, api: httpx.Client) -> None:
    guest = world.insert(models.Member, slug="m-gast", name="Gast", kind="guest")
    world.book(guest, HALL, NOW, NOW + HOUR_MS)
    with database.writing(world.engine) as connection:
        assert passes.wanted(connection, NOW)
        assert passes.provide(connection, world.keyring, NOW) == 1
        assert not passes.wanted(connection, NOW)
        assert passes.provide(connection, world.keyring, NOW) == 0


def test_the_worker_gives_so_many_a_turn_and_the_others_next_time(
    world: World, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = world.insert(models.Member, slug="m-gast", name="Gast", kind="guest")
    booked = [world.book(world.member("Ada"), HALL, NOW, NOW + HOUR_MS) for _ in range(2)]
    for booking in booked:
        world.insert(models.BookingHolder, booking_id=booking, member_id=guest)
    monkeypatch.setattr(passes, "_LACKING", passes._LACKING.limit(1))
    with database.writing(world.engine) as connection:
        given = [passes.provide(connection, world.keyring, NOW) for _ in range(3)]
    assert given == [1, 1, 0]
    assert {row["booking_id"] for row in rows(world.engine, models.GuestPass)} == set(booked)


# --- the page ----------------------------------------------------------------------------


def test_it_is_active_once_every_door_has_it_and_not_before(
    world: World, api: httpx.Client
) -> None:
    booking = invite(api)
    world.online(DEVICE, applied=newest(world) - 1)
    shown = page_of(booking, api, params={"lang": "en"}).text
    assert "Not active yet" in shown
    world.online(DEVICE, applied=newest(world))
    assert api.get(f"/api/v1/bookings/{booking['id']}").json()["access"][0]["active"] is True
    assert "Active: the doors know your PIN." in page_of(booking, api, params={"lang": "en"}).text


def test_the_page_is_small_and_says_all_a_guest_needs(world: World, api: httpx.Client) -> None:
    booking = invite(api, title="Besuch")
    world.set(models.Device, DEVICE, online=False)
    api.headers.pop("Authorization")
    for language, sentence in (("de", "keine Verbindung"), ("en", "no connection")):
        answer = page_of(booking, api, params={"lang": language})
        assert answer.status_code == 200
        text = answer.text
        for needed in ("Alte Schule", "Musterweg 1", "Haustür", "16:13", "+49 30 23125 010"):
            assert needed in text
        assert sentence in text
        assert "".join(re.findall("<span>([0-9])</span>", text)) == booking["access"][0]["pin"]
        assert "<script" not in text
        style = re.search('href="(/static/pass.css[^"]*)"', text)
        assert style
        whole = len(answer.content) + len(api.get(style[1]).content)
        assert whole <= 20_000
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_while_the_place_is_closed_nobody_is_told_that_the_pin_opens(
    world: World, api: httpx.Client
) -> None:
    booking = invite(api)
    world.online(DEVICE, applied=newest(world))
    english = {"Accept-Language": "en"}
    assert "Active: the doors know" in page_of(booking, api, headers=english).text
    site = {"site_id": world.id_of(models.Site, "ettmannsweiler")}
    world.insert(models.Closure, **site, start=NOW - HOUR_MS, end=NOW + HOUR_MS // 2)
    assert "Active: the doors know" in page_of(booking, api, headers=english).text
    world.insert(models.Closure, **site, start=NOW, end=NOW + 2 * HOUR_MS)
    told = page_of(booking, api, headers=english).text
    assert "Closed then" in told
    assert "Active" not in told
    assert "The PIN opens from" not in told


def test_a_visit_of_several_days_says_when_it_ends(api: httpx.Client) -> None:
    booking = invite(api, end=iso(NOW + 2 * DAY_MS))
    shown = page_of(booking, api, headers={"Accept-Language": "en"}).text
    assert "Mon 21 Sept, 16:13–Wed 23 Sept, 16:13" in shown


def test_a_cancelled_booking_shows_no_pin(api: httpx.Client) -> None:
    booking = invite(api)
    pin = booking["access"][0]["pin"]
    assert api.delete("/api/v1/bookings/by-uid/cobot/gast").status_code == 200
    shown = page_of(booking, api, params={"lang": "en"}).text
    assert "was cancelled" in shown
    assert pin not in re.findall("[0-9]+", shown)


def test_a_day_later_nobody_can_read_the_pin(world: World, api: httpx.Client) -> None:
    booking = invite(api)
    with database.writing(world.engine) as connection:
        assert passes.retire(connection, world.keyring, NOW + DAY_MS) == 0
        assert passes.retire(connection, world.keyring, NOW + DAY_MS + HOUR_MS + 1) == 1
        assert passes.retire(connection, world.keyring, NOW + 3 * DAY_MS) == 0
    world.now = NOW + 3 * DAY_MS
    assert "This visit is over" in page_of(booking, api, params={"lang": "en"}).text
    assert api.get(f"/api/v1/bookings/{booking['id']}").json()["access"][0]["pin"] is None
    badge = next(row for row in rows(world.engine, models.Badge) if row["tech"] == PIN)
    assert badge["status"] == "replaced"
    assert b"over-" in world.keyring.open(badge["sealed_uid"], "badge")


def test_a_booking_that_is_in_force_again_has_a_pin_again(world: World, api: httpx.Client) -> None:
    """Taken back, its PIN forgotten, and pushed anew: by the link that was sent then."""
    when = {"start": iso(NOW + 9 * DAY_MS), "end": iso(NOW + 9 * DAY_MS + HOUR_MS)}
    booking = invite(api, **when)
    api.delete("/api/v1/bookings/by-uid/cobot/gast")
    world.now = NOW + 2 * DAY_MS
    with database.writing(world.engine) as connection:
        assert passes.retire(connection, world.keyring, world.now) == 1
    (before,), (again,) = booking["access"], invite(api, **when)["access"]
    assert again["pin"] is not None
    assert again["link"] == before["link"]
    assert again["pin"] in re.sub("[^0-9]", "", page_of(booking, api).text)
    assert invite(api, **when)["access"] == [again]


def test_a_guessed_link_is_nobodys_and_guessing_has_an_end(anybody: httpx.Client) -> None:
    answers = [anybody.get(f"/pass/guess-{number}").status_code for number in range(21)]
    assert answers == [404] * 20 + [429]
    assert views.NOBODYS
