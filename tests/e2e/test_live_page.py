"""The live page in a real browser, against a real server and database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import update
from tests.hub.small_hub import rows
from tests.hub.web_world import HOUR_MS, NOW, World, serving, web_world

from kokubus_hub import models
from kokubus_hub.database import writing
from kokubus_hub.models import table

pytestmark = pytest.mark.browser

FRONT, HALL = "ettmannsweiler-front", "ettmannsweiler-hall"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
PATIENCE_MS = 60_000
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(":disabled, noscript, script")) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""
"""Texts whose contrast is below WCAG 2.2's AA (1.4.3: 4.5 to 1)."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield made
        made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with web_world(tmp_path) as made:
        made.online("ettmannsweiler-1")
        made.set(models.Door, FRONT, contact="closed", contact_at=NOW)
        made.crowd(HALL, 0.02, 0.08, 0.8, 0.08, 0.02)
        yield made


@pytest.fixture
def address(world: World) -> Iterator[str]:
    with serving(world) as served:
        yield served


class Visitor:
    """Opens pages, and fails the test if the browser had anything to complain about."""

    def __init__(self, browser: Browser, address: str, world: World) -> None:
        self._browser, self._address, self._world = browser, address, world
        self._stack = ExitStack()
        self.complaints: list[str] = []

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        assert self.complaints == []

    def page(self, path: str = "/", *, operator: bool = False, **options: Any) -> Page:
        context = self._browser.new_context(**({"viewport": DESK, "locale": "en-GB"} | options))
        self._stack.callback(context.close)
        page = context.new_page()
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._sent(request.url))
        if operator:
            path = f"/sign-in/{self._world.link(self._operator())}"
        page.goto(self._address + path)
        return page

    def _operator(self) -> int:
        known = rows(self._world.engine, models.Operator)
        return int(known[0]["id"]) if known else self._world.operator()

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def _sent(self, url: str) -> None:
        if not url.startswith(self._address):
            self.complaints.append(f"loads {url} from elsewhere")


@pytest.fixture
def visitor(browser: Browser, address: str, world: World) -> Iterator[Visitor]:
    with Visitor(browser, address, world) as made:
        yield made


def live(page: Page) -> Page:
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    return page


def test_one_click_on_the_link_signs_in(visitor: Visitor) -> None:
    page = live(visitor.page(operator=True))
    expect(page.get_by_text("Olga Probe")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Right now")


def test_the_public_sees_levels_and_the_operator_people(visitor: Visitor) -> None:
    public, operator = live(visitor.page()), live(visitor.page(operator=True))
    card = "#site-ettmannsweiler"
    expect(public.locator(card)).to_contain_text("free")
    expect(public.locator(f"{card} .doors, {card} .events, {card} .count")).to_have_count(0)
    expect(operator.locator(f"{card} .count")).to_contain_text("2")
    expect(operator.locator(f"{card} .count")).to_contain_text("probably 1 to 3")
    expect(operator.locator(f"#door-{FRONT}")).to_contain_text("closed")


def test_what_happens_appears_without_loading_again(visitor: Visitor, world: World) -> None:
    page = live(visitor.page(operator=True))
    page.evaluate("window.notLoadedAgain = true")
    ada = world.member("Ada Beispiel")
    tap = world.tap(FRONT, ada, "booked", granted=True)
    line = page.locator("#tap-1")
    expect(line).to_contain_text("Ada Beispiel")
    expect(line).to_contain_text("Let in: has a booking.")
    world.passed(FRONT, tap=tap, side="in")
    expect(line).to_contain_text("went in")
    world.set(models.Door, FRONT, contact="open", contact_at=NOW)
    expect(page.locator(f"#door-{FRONT} .state")).to_have_text("open")
    assert page.evaluate("window.notLoadedAgain")


def test_a_new_line_is_announced_and_the_older_ones_stay_as_they_are(
    visitor: Visitor, world: World
) -> None:
    world.tap(FRONT, None, "badge_unknown", granted=False)
    page = live(visitor.page(operator=True))
    expect(page.locator("#tap-1")).to_be_visible()
    page.evaluate("window.older = document.getElementById('tap-1')")
    world.now += 1_000
    world.tap(FRONT, None, "badge_blocked", granted=False)
    expect(page.locator("#tap-2.new")).to_be_visible()
    assert page.evaluate("window.older === document.getElementById('tap-1')")
    announced = page.locator("#tap-2").locator("xpath=..")
    expect(announced).to_have_attribute("aria-live", "polite")


def test_the_public_page_follows_too(visitor: Visitor, world: World) -> None:
    page = live(visitor.page())
    expect(page.locator("#site-kokubus .level")).to_have_text("not counted yet")
    world.crowd("kokubus-cabin", *([0.0] * 6), 1.0)
    expect(page.locator("#site-kokubus .level")).to_have_text("full")


def test_a_booking_made_while_a_door_is_away_says_so(visitor: Visitor, world: World) -> None:
    page = live(visitor.page(operator=True))
    world.book(world.member("Ada Beispiel"), HALL, NOW, NOW + HOUR_MS)
    booking = page.locator("#booking-1")
    expect(booking).to_contain_text("not yet delivered")
    world.online("ettmannsweiler-1", applied=world.change())
    expect(booking).not_to_contain_text("not yet delivered")


def test_a_door_is_opened_with_a_reason_and_the_outcome_is_shown(
    visitor: Visitor, world: World
) -> None:
    page = live(visitor.page(operator=True))
    page.get_by_role("button", name="Open Haustür from here").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Open door").click()
    assert not world.publisher.messages  # no reason, no command
    dialog.get_by_label("Why?").fill("Parcel for the hall")
    dialog.get_by_role("button", name="Open door").click()
    expect(dialog.get_by_role("status")).to_have_text("Sent; waiting for the door.")
    held = table(models.Command)
    with writing(world.engine) as connection:
        connection.execute(update(held).values(outcome="opened", outcome_at=world.now))
    expect(dialog.get_by_role("status")).to_have_text("Somebody opened the door.")
    expect(page.locator("#site-ettmannsweiler .events")).to_contain_text("Parcel for the hall")


def test_without_a_broker_the_dialog_says_that_nothing_was_sent(
    visitor: Visitor, world: World
) -> None:
    world.publisher.away = True
    page = live(visitor.page(operator=True, locale="de-DE"))
    page.get_by_role("button", name="Haustür von hier öffnen").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Warum?").fill("Paket")
    dialog.get_by_role("button", name="Tür öffnen").click()
    expect(dialog.get_by_role("status")).to_contain_text("es wurde nichts gesendet")
    assert visitor.complaints.pop().startswith("Failed to load resource")  # the 503 itself


def test_a_proxy_without_a_hub_behind_it_is_said_in_words(visitor: Visitor) -> None:
    page = live(visitor.page(operator=True, locale="de-DE"))
    page.route("**/unlock", lambda call: call.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("button", name="Haustür von hier öffnen").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Warum?").fill("Paket")
    dialog.get_by_role("button", name="Tür öffnen").click()
    expect(dialog.get_by_role("status")).to_contain_text("Der Hub hat nicht geantwortet")
    assert visitor.complaints.pop().startswith("Failed to load resource")  # the 502 itself


def test_what_is_typed_survives_what_arrives(visitor: Visitor, world: World) -> None:
    page = live(visitor.page(operator=True))
    page.get_by_role("button", name="Open Haustür from here").click()
    page.get_by_label("Why?").fill("Parcel")
    world.tap(FRONT, None, "badge_unknown", granted=False)
    expect(page.locator("#tap-1")).to_be_attached()
    expect(page.get_by_label("Why?")).to_have_value("Parcel")
    expect(page.get_by_label("Why?")).to_be_focused()


def test_both_languages_by_browser_and_by_switch(visitor: Visitor) -> None:
    german = live(visitor.page(locale="de-DE"))
    expect(german.get_by_role("heading", level=1)).to_have_text("Wo gerade Platz ist")
    german.get_by_role("link", name="EN", exact=True).click()
    expect(live(german).get_by_role("heading", level=1)).to_have_text("Where there is room")
    german.get_by_role("link", name="KoKubus").click()
    expect(live(german).get_by_role("heading", level=1)).to_have_text("Where there is room")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("operator", [False, True])
def test_every_text_can_be_read_at_every_width(
    visitor: Visitor, world: World, scheme: str, operator: bool
) -> None:
    ada = world.member("Ada Langenhagen-Beispielsweise von und zu Musterhausen")
    world.insert(models.Setting, key="demo", value="1")
    world.tap(FRONT, ada, "too_early", granted=False, detail={"from": NOW + HOUR_MS})
    world.tap(FRONT, ada, "booked", granted=True)
    world.said("door_held", FRONT)
    world.book(ada, HALL, NOW, NOW + HOUR_MS)
    world.crowd("kokubus-cabin", *([0.0] * 5), 1.0)
    world.crowd("ebhausen-workroom", *([0.0] * 8), 1.0)
    page = live(visitor.page(operator=operator, viewport=PHONE, color_scheme=scheme))
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []


def test_dark_is_dark(visitor: Visitor) -> None:
    def ground(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light, dark = visitor.page(color_scheme="light"), visitor.page(color_scheme="dark")
    assert ground(live(light)) == "rgb(245, 243, 238)"
    assert ground(live(dark)) == "rgb(16, 22, 19)"


def test_a_page_that_lost_its_server_says_so(browser: Browser, world: World) -> None:
    with ExitStack() as server:
        address = server.enter_context(serving(world))
        with Visitor(browser, address, world) as visitor:
            page = live(visitor.page())
            server.close()
            expect(page.locator("#link")).to_have_text("No connection, trying again …")
            assert all("ERR_" in complaint for complaint in visitor.complaints)
            visitor.complaints.clear()


@pytest.mark.parametrize("path", ["/sign-in", "/api/docs", "/nowhere"])
def test_other_pages_are_as_clean(visitor: Visitor, path: str) -> None:
    page = visitor.page(path, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if path == "/nowhere":
        assert visitor.complaints.pop().startswith("Failed to load resource")
    else:
        assert page.evaluate(CONTRAST) == []
