"""The live page's pieces: kept while nothing they show has changed, and never longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import models
from kokubus_hub.live import board, cards
from kokubus_hub.live.cards import Cards

FRONT, HALL = "ettmannsweiler-front", "ettmannsweiler-hall"
ADA = "Ada Beispiel"
CHANNELS = (("de", True), ("en", True), ("de", False))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cards that were made, by their site's slug."""
    found: list[str] = []

    def noted(language: str, template: str, **values: Any) -> str:
        if "site" in values:
            found.append(values["site"].slug)
        return render(language, template, **values)

    render = cards.render
    monkeypatch.setattr(cards, "render", noted)
    return found


def test_a_tap_costs_one_card(world: World, made: list[str]) -> None:
    kept = Cards()
    for channel in CHANNELS:
        kept.fragments(board.read(world.hub()), channel)
    assert len(made) == 5 * len(CHANNELS)
    made.clear()
    kept.fragments(board.read(world.hub()), CHANNELS[0])
    assert made == []
    world.tap(FRONT, world.member(ADA), "booked", granted=True)
    shown = kept.fragments(board.read(world.hub()), CHANNELS[0])
    assert made == ["ettmannsweiler"]
    assert ADA in shown["site-ettmannsweiler"]


def test_a_count_that_looks_the_same_costs_none(world: World, made: list[str]) -> None:
    """Beliefs are predicted anew every few seconds, and mostly come to the same numbers."""
    world.crowd(HALL, 0.02, 0.08, 0.8, 0.08, 0.02)
    kept = Cards()
    hub = world.hub()
    kept.fragments(board.read(hub), CHANNELS[0])
    made.clear()
    world.now += 6_000
    kept.fragments(board.read(hub), CHANNELS[0])
    assert made == []


CHANGES: dict[str, Callable[[World], object]] = {
    "a tap": lambda w: w.tap(FRONT, None, "badge_unknown", granted=False),
    "a site's name": lambda w: w.set(models.Site, "ettmannsweiler", name="Neue Schule"),
    "a site's telephone": lambda w: w.set(models.Site, "ettmannsweiler", help_phone="+49 1"),
    "a room's name": lambda w: w.set(models.Room, HALL, name="Saal"),
    "a room's places": lambda w: w.set(models.Room, HALL, capacity=3),
    "a door": lambda w: w.set(models.Door, FRONT, contact="open", contact_at=NOW),
    "a device": lambda w: w.set(models.Device, "ettmannsweiler-1", online=False),
    "a booking": lambda w: w.book(w.member(ADA), HALL, NOW, NOW + HOUR_MS),
    "people": lambda w: w.crowd(HALL, 0.0, 0.0, 0.0, 1.0),
    "another day": lambda w: setattr(w, "now", w.now + 24 * HOUR_MS),
    "the evening": lambda w: setattr(w, "now", w.now + 9 * HOUR_MS),
    "a room elsewhere": lambda w: w.set(models.Room, "ebhausen-workroom", name="Halle"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_kept_is_what_would_be_made(world: World, what: str) -> None:
    hub, kept = world.hub(), Cards()
    where = {"where": "ebhausen-workroom"}
    world.online("ettmannsweiler-1")
    world.tap(FRONT, world.member(ADA), "wrong_place", granted=False, detail=where)
    before = {channel: kept.fragments(board.read(hub), channel) for channel in CHANNELS}
    CHANGES[what](world)
    now = board.read(hub)
    for channel in CHANNELS:
        assert kept.fragments(now, channel) == cards.fragments(now, channel)
    assert kept.fragments(now, ("de", True)) != before["de", True]
