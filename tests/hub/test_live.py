"""The live page: who sees what, and that what happens arrives by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select
from tests.hub.web_world import HOUR_MS, NOW, World, serving
from tests.loopback import asking

from kokubus_hub import database, models
from kokubus_hub.counting import Crowd
from kokubus_hub.live.board import pips
from kokubus_hub.live.feed import Channel, Client, Feed
from kokubus_hub.models import table
from kokubus_hub.pages import version
from kokubus_hub.security import COOKIE

DOOR, KEPT = table(models.Door), table(models.BookingDelivery)
FRONT, HALL = "ettmannsweiler-front", "ettmannsweiler-hall"
HELP = "+49 30 23125 010"
ADA = "Ada Beispiel"
Messages = Iterator[dict[str, Any]]


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def card(page: str, site: str = "ettmannsweiler") -> str:
    found = page.partition(f'id="site-{site}"')[2].partition("</article>")[0]
    return found.partition(">")[2]


@pytest.fixture
def operator(world: World, anybody: httpx.Client) -> httpx.Client:
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    return anybody


def shown(client: httpx.Client, language: str = "en", site: str = "ettmannsweiler") -> str:
    return text(card(client.get("/", params={"lang": language}).text, site))


def busy(world: World) -> None:
    """People, doors, bookings and events, all of which only operators may see."""
    world.online("ettmannsweiler-1")
    world.set(models.Door, FRONT, contact="open", contact_at=NOW)
    world.crowd(HALL, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    ada = world.member(ADA)
    world.book(ada, HALL, NOW - HOUR_MS, NOW + HOUR_MS)
    tap = world.tap(FRONT, ada, "booked", granted=True)
    world.enforced(tap, FRONT, "booked", granted=True)


# --- who sees what -----------------------------------------------------------------------


def test_whoever_is_not_signed_in_sees_the_level_and_no_more(
    world: World, anybody: httpx.Client
) -> None:
    busy(world)
    page = anybody.get("/", params={"lang": "en"}).text
    assert shown(anybody).strip() == (
        "Alte Schule Ettmannsweiler Simmersfeld medium "
        "Musterweg 1, 72226 Simmersfeld-Ettmannsweiler open until 20:00"
    )
    for secret in (ADA, FRONT, "Haustür", "people now", HELP, 'class="pips"', "unlock"):
        assert secret not in page


def test_one_person_and_nobody_look_alike_from_outside(world: World, anybody: httpx.Client) -> None:
    world.crowd("ettmannsweiler-meeting", 1)
    world.crowd(HALL, 1)
    world.crowd("kokubus-cabin", 0.0, 1.0)
    assert "free" in shown(anybody)
    assert "free" in shown(anybody, site="kokubus")


@pytest.mark.parametrize(
    ("people", "english", "german"),
    [(2, "free", "frei"), (5, "medium", "mittel"), (6, "full", "voll")],
)
def test_the_level_in_both_languages(
    world: World, anybody: httpx.Client, people: int, english: str, german: str
) -> None:
    world.crowd("kokubus-cabin", *([0.0] * people), 1.0)
    assert f" {english} " in shown(anybody, "en", "kokubus")
    assert f" {german} " in shown(anybody, "de", "kokubus")


def test_operators_see_people_doors_bookings_and_events(
    world: World, operator: httpx.Client
) -> None:
    busy(world)
    seen = shown(operator)
    for wanted in (
        "8 people now",
        "8 /12",
        "Haustür open",
        f"15:13–17:13 {ADA} Arbeitssaal not yet delivered",
        f"{ADA} Haustür 16:13 Let in: has a booking.",
    ):
        assert wanted in seen


def test_the_same_in_german(world: World, operator: httpx.Client) -> None:
    busy(world)
    seen = shown(operator, "de")
    for wanted in ("8 Personen gerade da", "Haustür offen", "Eingelassen: hat gebucht."):
        assert wanted in seen


def test_the_language_asked_for_is_remembered(anybody: httpx.Client) -> None:
    assert 'lang="de"' in anybody.get("/").text
    assert 'lang="en"' in anybody.get("/", params={"lang": "en"}).text
    assert 'lang="en"' in anybody.get("/", headers={"Accept-Language": "de"}).text


def test_simulated_is_written_where_it_is(world: World, anybody: httpx.Client) -> None:
    assert "ribbon" not in anybody.get("/").text
    world.insert(models.Setting, key="demo", value="1")
    assert "Simuliert" in anybody.get("/").text


def test_a_hub_without_sites_says_what_to_do(
    world: World, anybody: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokubus_hub.live.board.network", lambda *_: [])
    assert "There is no site yet" in anybody.get("/", params={"lang": "en"}).text


# --- what is told ------------------------------------------------------------------------


def test_every_denial_stands_beside_the_phone_that_helps(
    world: World, operator: httpx.Client
) -> None:
    world.tap(FRONT, None, "badge_unknown", granted=False)
    seen = shown(operator)
    assert "Unknown badge Haustür 16:13 Not let in: nobody knows this badge" in seen
    assert f"Help: {HELP}" in seen


def test_a_grant_needs_no_help(world: World, operator: httpx.Client) -> None:
    world.tap(FRONT, world.member(ADA), "booked", granted=True)
    assert HELP not in shown(operator)


def test_what_the_door_did_counts_not_what_the_hub_said(
    world: World, operator: httpx.Client
) -> None:
    tap = world.tap(FRONT, world.member(ADA), "no_booking", granted=False)
    world.enforced(tap, FRONT, "booked", granted=True, by="edge")
    seen = shown(operator)
    assert "Let in: has a booking. decided at the door, without the hub" in seen
    assert "Not let in" not in seen


def test_a_tap_nobody_has_decided_yet_is_no_grant(world: World, operator: httpx.Client) -> None:
    world.tap(FRONT, world.member(ADA), None, granted=None, late=True)
    assert "The door has not said yet what it did." in shown(operator)


@pytest.mark.parametrize(
    ("side", "told"), [("in", "went in"), ("out", "went out"), (None, "went in")]
)
def test_who_went_through_is_told(
    world: World, operator: httpx.Client, side: str | None, told: str
) -> None:
    tap = world.tap(FRONT, world.member(ADA), "booked", granted=True)
    world.passed(FRONT, tap=tap, side=side)
    assert told in shown(operator)


def test_nobody_went_in_is_told_too(world: World, operator: httpx.Client) -> None:
    tap = world.tap(FRONT, world.member(ADA), "booked", granted=True)
    world.said("no_entry", FRONT, tap=tap, at=NOW + 5_000)
    assert "nobody went in" in shown(operator)


def test_alarms_exits_and_commands_stand_among_the_taps(
    world: World, operator: httpx.Client
) -> None:
    world.said("door_forced", FRONT)
    world.passed(FRONT, exit_requested=True)
    world.insert(
        models.Command,
        id="c1",
        door_id=world.id_of(models.Door, FRONT),
        operator_id=1,
        reason="Lieferung {0}",
        sent_at=NOW,
        expires_at=NOW + 10_000,
        outcome="no_entry",
    )
    seen = shown(operator)
    assert "Alarm Haustür 16:13 The door was opened without a right." in seen
    assert "Somebody Haustür 16:13 Opened the door from inside." in seen
    assert "Olga Probe Haustür 16:13 Opened from afar: Lieferung {0}" in seen
    assert "nobody opened the door" in seen


def test_what_was_reported_later_stands_at_its_time(world: World, operator: httpx.Client) -> None:
    ada = world.member(ADA)
    world.tap(FRONT, ada, "booked", granted=True)
    world.tap(FRONT, ada, "entitled", granted=True, at=NOW - HOUR_MS, received_at=NOW)
    seen = shown(operator)
    assert seen.index("Let in: has a booking") < seen.index("Let in: has a standing right")
    assert "15:13 Let in: has a standing right. reported later" in seen


def test_a_busy_site_does_not_hide_what_happened_at_a_quiet_one(
    world: World, operator: httpx.Client
) -> None:
    world.tap("kokubus-door", None, "badge_unknown", granted=False, at=NOW - HOUR_MS)
    for _ in range(20):
        world.tap(FRONT, None, "badge_blocked", granted=False)
    assert shown(operator).count("Unknown badge") == 6
    assert shown(operator, site="kokubus").count("Unknown badge") == 1


def test_a_booking_on_the_door_says_no_more(world: World, operator: httpx.Client) -> None:
    world.book(world.member(ADA), HALL, NOW, NOW + HOUR_MS)
    assert "not yet delivered" in shown(operator)
    world.online("ettmannsweiler-1", applied=world.change())
    assert "not yet delivered" not in shown(operator)


def test_a_booking_for_a_lost_device_says_why_it_waits(
    world: World, operator: httpx.Client
) -> None:
    world.book(world.member(ADA), HALL, NOW, NOW + HOUR_MS)
    world.set(models.Device, "ettmannsweiler-1", online=False, status_at=NOW)
    seen = shown(operator)
    assert "not yet delivered, device offline" in seen
    assert "Haustür unknown, its device is offline since 16:13" in seen


def test_a_cancellation_is_shown_until_the_doors_have_it(
    world: World, operator: httpx.Client
) -> None:
    world.book(world.member(ADA), HALL, NOW, NOW + HOUR_MS, status="cancelled")
    assert "cancelled not yet delivered" in shown(operator)
    world.online("ettmannsweiler-1", applied=world.change())
    assert ADA not in shown(operator)


def test_a_booking_that_a_door_waits_for_goes_before_nearer_ones(
    world: World, operator: httpx.Client
) -> None:
    near = [
        world.book(world.member(f"Person {n}"), HALL, NOW + n, NOW + HOUR_MS) for n in range(1, 7)
    ]
    known = {"change_id": 1, "since": NOW, "due": NOW, "why": ""}
    world.online("ettmannsweiler-1", applied=world.change())
    with database.writing(world.engine) as connection:
        door = connection.execute(select(DOOR.c.id).where(DOOR.c.slug == FRONT)).scalar_one()
        rows = [known | {"booking_id": n, "door_id": door, "state": "on_the_door"} for n in near]
        connection.execute(insert(KEPT), rows)
    assert [f"Person {n}" in shown(operator) for n in range(1, 7)] == 4 * [True] + 2 * [False]
    late = world.book(world.member(ADA), HALL, NOW + 8 * HOUR_MS, NOW + 9 * HOUR_MS)
    with database.writing(world.engine) as connection:
        waits = known | {"booking_id": late, "door_id": door, "state": "waiting", "change_id": 99}
        connection.execute(insert(KEPT).values(waits))
    seen = shown(operator)
    assert ADA in seen
    assert "Person 4" not in seen


def test_a_closed_site_says_when_it_opens(world: World, anybody: httpx.Client) -> None:
    world.now = NOW + 6 * HOUR_MS
    assert "closed, opens Tue 22 Sept, 07:00" in shown(anybody)
    assert "geschlossen, öffnet Di. 22. Sept., 07:00" in shown(anybody, "de")


# --- the marks of a crowd ----------------------------------------------------------------


def test_a_mark_a_place_says_how_surely_it_is_taken() -> None:
    crowd = Crowd(NOW, 5, (0.0, 0.1, 0.6, 0.2, 0.1, 0.0, 0.0))
    assert pips(crowd) == ["sure", "likely", "maybe", "maybe", "free"]


def test_more_people_than_places_get_marks_too() -> None:
    assert pips(Crowd(NOW, 2, (0.0, 0.0, 0.0, 1.0))) == ["sure"] * 3


def test_a_large_room_has_a_mark_for_several_places() -> None:
    posterior = [0.0] * 130
    posterior[50] = 1.0
    marks = pips(Crowd(NOW, 100, tuple(posterior)))
    assert len(marks) == 34
    assert marks.count("sure") == 16


# --- the stream --------------------------------------------------------------------------


@contextmanager
def stream(
    address: str, token: str | None = None, **query: Any
) -> Iterator[Iterator[dict[str, Any]]]:
    params = {"lang": "en", "page_of": version(), "signed_in": token is not None} | query
    cookies = {COOKIE: token} if token else {}
    with (
        asking(address, cookies=cookies, timeout=30) as client,
        client.stream("GET", "/live", params=params) as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield messages(answer.iter_lines())


def messages(lines: Iterator[str]) -> Messages:
    event = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield {"event": event, "data": json.loads(value) if value else None}


def test_a_new_page_is_sent_everything_at_once(world: World) -> None:
    token = world.session(world.operator()).token
    with serving(world) as address, stream(address, token) as events:
        first = next(events)
        assert first["event"] == "fragments"
        assert len(first["data"]) == 6
        assert "site-ettmannsweiler" in first["data"]


def test_what_happens_arrives_and_nothing_else(world: World) -> None:
    token = world.session(world.operator()).token
    ada = world.member(ADA)
    with serving(world) as address, stream(address, token) as events:
        next(events)
        world.tap(FRONT, ada, "booked", granted=True)
        changed = next(events)["data"]
        assert list(changed) == ["site-ettmannsweiler"]
        assert ADA in changed["site-ettmannsweiler"]


@pytest.mark.slow
def test_the_public_stream_carries_levels_only(world: World) -> None:
    with serving(world) as address, stream(address) as events:
        busy(world)
        world.set(models.Site, "ettmannsweiler", name="Neue Schule")
        seen = ""
        while "Neue Schule" not in seen:
            seen = json.dumps(next(events)["data"])
            assert ADA not in seen
            assert "people now" not in seen


def test_each_reads_in_their_own_language(world: World) -> None:
    with (
        serving(world) as address,
        stream(address, lang="de") as german,
        stream(address, lang="en") as english,
    ):
        assert "geöffnet bis" in next(german)["data"]["site-kokubus"]
        assert "open until" in next(english)["data"]["site-kokubus"]


def test_an_invented_language_costs_no_stream_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the hub would make, and keep, the whole page in each that somebody thinks of."""
    opened, channels = Feed.open, []

    def noted(feed: Feed, channel: Channel) -> Client:
        channels.append(channel)
        return opened(feed, channel)

    monkeypatch.setattr(Feed, "open", noted)
    with serving(world) as address:
        for invented in ("tlh", "../en"):
            with stream(address, lang=invented) as events:
                assert "geöffnet bis" in next(events)["data"]["site-kokubus"]
    assert channels == [("de", False)] * 2


@pytest.mark.parametrize("query", [{"page_of": "older"}, {"signed_in": True}])
def test_a_page_that_is_no_longer_right_is_told_to_load_again(
    world: World, query: dict[str, Any]
) -> None:
    with serving(world) as address, stream(address, **query) as events:
        assert [one["event"] for one in events] == ["reload"]


@pytest.mark.slow
def test_streams_end_when_the_server_does(world: World) -> None:
    with serving(world) as address:
        opened = stream(address)
        events = opened.__enter__()
        next(events)
    assert list(events) == []
    opened.__exit__(None, None, None)


def test_the_role_says_that_it_is_alive(world: World) -> None:
    beat = world.settings.data_dir / "run" / "serve.alive"
    with serving(world) as address, stream(address) as events:
        next(events)
        assert beat.exists()
