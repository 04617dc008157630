"""The page to lock doors down or let them stand open."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.hub.web_world import HOUR_MS, NOW, Stage, World
from tests.loopback import asking

from kokubus_hub import database
from kokubus_hub.doors import modes
from kokubus_hub.security import COOKIE

EVENING = "2026-09-21T18:00"
"""At the sites; 16:00 UTC, on the day of NOW."""


@pytest.fixture
def browser(world: World, stage: Stage) -> Iterator[tuple[httpx.Client, str]]:
    """A signed-in browser and its forms' token."""
    stage.enter(world.hub())
    started = world.session(world.operator())
    with asking(stage.address, headers={"Accept-Language": "en"}) as client:
        client.cookies.set(COOKIE, started.token)
        yield client, started.csrf


def held(world: World) -> list[modes.ModeNow]:
    with database.reading(world.engine) as connection:
        return modes.in_force(connection, world.now)


def begin(browser: tuple[httpx.Client, str], **more: str) -> httpx.Response:
    form = {"kind": "lockdown", "where": "site:ebhausen", "reason": "Wasserschaden"}
    form |= {"site": "ebhausen", "until": EVENING, "csrf": browser[1]}
    return browser[0].post("/modes", data=form | more)


def test_a_lockdown_begins_and_is_taken_back(
    world: World, browser: tuple[httpx.Client, str]
) -> None:
    assert begin(browser).headers["Location"] == "/modes?done=begun&site=ebhausen"
    (mode,) = held(world)
    assert (mode.row.site, mode.row.reason, mode.row.operator) == (
        *("ebhausen", "Wasserschaden", "Olga Probe"),
    )
    assert mode.row.end == NOW - NOW % HOUR_MS + 2 * HOUR_MS
    page = browser[0].get("/modes?site=ebhausen&done=begun").text
    assert "Wasserschaden" in page
    assert "on 0 of 1 doors" in page
    assert 'value="site:ebhausen" selected' in page
    ended = browser[0].post(f"/modes/{mode.row.id}/end", data={"csrf": browser[1]})
    assert ended.headers["Location"] == "/modes?done=ended"
    assert held(world) == []
    again = browser[0].post(f"/modes/{mode.row.id}/end", data={"csrf": browser[1]})
    assert (again.status_code, "is over already" in again.text) == (409, True)


def test_one_without_an_end(world: World, browser: tuple[httpx.Client, str]) -> None:
    assert begin(browser, until="", where="everywhere").status_code == 303
    assert held(world)[0].row.end is None


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"reason": " "}, 422, "Say why"),
        ({"until": "soon"}, 422, "a date and a time"),
        ({"until": "2026-09-21T15:00"}, 422, "later end"),
        ({"kind": "free_passage", "until": ""}, 422, "needs an end"),
        ({"kind": "free_passage"}, 409, "not rated"),
        ({"where": "door:nowhere"}, 404, "no door"),
    ],
)
def test_a_mistake_keeps_what_was_typed(
    world: World,
    browser: tuple[httpx.Client, str],
    more: dict[str, str],
    status: int,
    said: str,
) -> None:
    answer = begin(browser, **more)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert 'role="alert"' in answer.text
    assert held(world) == []


def test_nobody_else_may(world: World, browser: tuple[httpx.Client, str]) -> None:
    assert begin(browser, csrf="guessed").status_code == 403
    client = asking(browser[0].base_url)
    assert client.get("/modes").headers["Location"] == "/sign-in"
    assert (
        client.post("/modes", data={"kind": "lockdown", "where": "everywhere"}).status_code == 401
    )
    assert held(world) == []
    client.close()


def test_where_doors_are_shown_there_is_a_way_to_it(browser: tuple[httpx.Client, str]) -> None:
    assert 'href="/modes?site=ebhausen"' in browser[0].get("/").text
    assert 'href="/modes?site=ebhausen"' in browser[0].get("/today/ebhausen").text
