"""How doors stand and alarms come and go, in whatever order it is heard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from tests.hub.intake_world import (
    FRONT,
    NOW,
    World,
    world,
)

from kokubus import messages as said
from kokubus_hub import models
from kokubus_hub.sorting import Letter


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def door(hub: World, slug: str = FRONT) -> dict[str, Any]:
    return hub.row(models.Door, slug)


def alarms(hub: World) -> list[tuple[str, int, int | None]]:
    """(kind, at, cleared at), the oldest first."""
    found = [(row["kind"], row["at"], row["cleared_at"]) for row in hub.rows(models.Alarm)]
    return sorted(found, key=lambda alarm: alarm[1])


def leaf(hub: World, at: int, *, open_: bool) -> Letter:
    return hub.device.fact(said.ContactChanged, at=at, door=FRONT, open=open_)


def test_the_newest_word_on_a_leaf_holds(hub: World) -> None:
    hub.take(leaf(hub, NOW - 10, open_=True))
    assert (door(hub)["contact"], door(hub)["contact_at"]) == ("open", NOW - 10)
    hub.take(leaf(hub, NOW - 20, open_=False))
    assert (door(hub)["contact"], door(hub)["contact_at"]) == ("open", NOW - 10)
    hub.take(leaf(hub, NOW - 5, open_=False))
    assert (door(hub)["contact"], door(hub)["contact_at"]) == ("closed", NOW - 5)
    assert [row["detail"] for row in hub.rows(models.DoorEvent)] == [
        {"open": True},
        {"open": False},
        {"open": False},
    ]


def test_a_clock_that_is_ahead_does_not_freeze_a_door(hub: World) -> None:
    forced = hub.device.fact(said.DoorForced, at=NOW + 9_000_000, door=FRONT)
    hub.take(leaf(hub, NOW + 9_000_000, open_=True), forced)
    assert (door(hub)["contact"], door(hub)["forced_at"]) == ("open", NOW)
    hub.now = NOW + 10
    hub.take(leaf(hub, NOW + 10, open_=False))
    assert (door(hub)["contact"], door(hub)["forced_at"]) == ("closed", None)
    assert alarms(hub) == [("door_forced", NOW, NOW + 10)]


STORY = (
    ("open", -900), ("door_forced", -900), ("door_held", -700), ("closed", -500),
    ("open", -300), ("door_forced", -300),
)  # fmt: skip


def tell(hub: World, kind: str, at: int) -> Letter:
    if kind in {"open", "closed"}:
        return leaf(hub, NOW + at, open_=kind == "open")
    since = {"since": NOW + at - 100} if kind == "door_held" else {}
    cls = said.DoorHeld if kind == "door_held" else said.DoorForced
    return hub.device.fact(cls, at=NOW + at, door=FRONT, **since)


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize("seed", range(4))
def test_forced_and_held_doors_end_alike_in_whatever_order_they_are_heard(
    hub: World, size: int, seed: int
) -> None:
    orders = list(permutations(STORY))
    story = orders[(seed * 197 + size * 31) % len(orders)] if seed else STORY
    letters = [tell(hub, *each) for each in story]
    for start in range(0, len(letters), size):
        hub.take(*letters[start : start + size])
    hub.take(*letters)
    stands = door(hub)
    assert (stands["contact"], stands["forced_at"], stands["held_since"]) == (
        "open", NOW - 300, None,
    )  # fmt: skip
    assert alarms(hub) == [
        ("door_forced", NOW - 900, NOW - 500),
        ("door_held", NOW - 700, NOW - 500),
        ("door_forced", NOW - 300, None),
    ]


def test_a_held_door_is_held_since_it_was_opened_until_it_closes(hub: World) -> None:
    hub.take(tell(hub, "open", -100), tell(hub, "door_held", -50))
    assert door(hub)["held_since"] == NOW - 150
    clear = hub.device.fact(said.DoorHeldClear, door=FRONT, since=NOW - 150)
    hub.take(leaf(hub, NOW, open_=False), clear)
    assert door(hub)["held_since"] is None
    assert alarms(hub) == [("door_held", NOW - 50, NOW)]
    assert hub.rows(models.DoorEvent)[-1]["detail"] == {"since": NOW - 150}
