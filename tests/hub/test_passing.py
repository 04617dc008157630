"""Passages: whose they were, who is where, and that each is counted once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.intake_world import (
    BACK,
    FRONT,
    HALL,
    INNER,
    NOW,
    OTHER_UID,
    STUDIO,
    UID,
    World,
    world,
)

from kokubus.messages import BadgeTapped, By, Clock, Enforced, Side
from kokubus.occupancy import Belief
from kokubus_hub import database, models
from kokubus_hub.occupancy import replay
from kokubus_hub.sorting import Letter

SECOND_MS = 1_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.member()
        yield made


def inside(hub: World) -> dict[tuple[int, int], bool]:
    """(badge, room) -> whether it is inside."""
    return {(row["badge_id"], row["room_id"]): row["inside"] for row in hub.rows(models.Presence)}


def counted(hub: World, room: int = HALL) -> list[tuple[int, str | None]]:
    """(at, side) of the passages in a room's belief."""
    for row in hub.rows(models.Belief):
        if row["room_id"] == room:
            return [(event.at, event.side) for event in Belief.from_json(row["state"]).events]
    return []


def walk(
    hub: World, door: str = FRONT, side: Side = Side.IN, at: int = NOW, uid: str = UID
) -> tuple[BadgeTapped, Letter, Letter]:
    """(tap, its letter, the letter of the passage that followed half a second later)."""
    tap = hub.device.tapped(uid, door, at=at, side=side)
    said = hub.device.say(tap)
    return tap, said, hub.device.passage(at + 500, door, tap=tap.id, side=side)


def test_a_passage_knows_whose_it_was(hub: World) -> None:
    tap, said, passage = walk(hub)
    hub.take(said)
    hub.now += 500
    hub.take(passage)
    (row,) = hub.rows(models.Passage)
    assert (row["tap"], row["member_id"], row["side"]) == (tap.id, 1, "in")
    assert inside(hub) == {(1, HALL): True}
    assert counted(hub) == [(NOW + 500, "in")]


@pytest.mark.parametrize("waited", [500, 3 * SECOND_MS, 3_600 * SECOND_MS])
def test_a_passage_may_arrive_before_its_tap(hub: World, waited: int) -> None:
    _, said, passage = walk(hub)
    hub.now += waited
    hub.take(passage)
    assert hub.rows(models.Passage)[0]["member_id"] is None
    assert counted(hub) == [(NOW + 500, "in")]
    hub.take(said)
    (row,) = hub.rows(models.Passage)
    assert (row["member_id"], row["side"]) == (1, "in")
    assert inside(hub) == {(1, HALL): True}
    assert counted(hub) == [(NOW + 500, "in")]


@pytest.mark.parametrize("clock", [Clock.HOLDOVER, Clock.UNTRUSTED])
@pytest.mark.parametrize("ahead", [0, 3_600 * SECOND_MS])
def test_that_is_so_whatever_its_clock_says(hub: World, clock: Clock, ahead: int) -> None:
    hub.device.clock = clock
    _, said, passage = walk(hub, at=NOW + ahead)
    hub.take(passage)
    hub.take(said)
    assert hub.rows(models.Passage)[0]["member_id"] == 1
    assert inside(hub) == {(1, HALL): True}


def test_a_passage_whose_side_only_its_tap_can_tell_is_counted_when_that_comes(
    hub: World,
) -> None:
    """A door without a contact says what it granted, not which way somebody went."""
    tap = hub.other.tapped(UID, BACK, at=NOW, side=Side.OUT)
    said = hub.other.say(tap)
    granted = {"by": By.EDGE, "granted": True, "reason": "booked"}
    enforced = hub.other.fact(Enforced, at=NOW + 400, tap=tap.id, door=BACK, **granted)
    hub.now += 60 * SECOND_MS
    hub.take(enforced)
    assert (hub.rows(models.Passage)[0]["side"], counted(hub)) == (None, [])
    hub.take(said)
    assert hub.rows(models.Passage)[0]["side"] == "out"
    assert counted(hub) == [(NOW + 400, "out")]
    assert inside(hub) == {(1, HALL): False}


def test_the_tap_of_a_passage_that_a_replay_has_counted_counts_nothing_again(hub: World) -> None:
    _, said, passage = walk(hub)
    hub.now += 60 * SECOND_MS
    hub.take(hub.device.passage(NOW - 70 * SECOND_MS, side=Side.IN))
    hub.take(hub.device.passage(NOW + 30 * SECOND_MS, side=Side.IN))
    hub.take(passage)
    with database.writing(hub.engine) as connection:
        assert replay.dirty_rooms(connection) == [HALL]
        replay.replay(connection, HALL, hub.now)
    (before,) = hub.rows(models.Belief)
    hub.take(said)
    (after,) = hub.rows(models.Belief)
    assert (after["state"], after["dirty_since"]) == (before["state"], None)


def test_leaving_is_remembered(hub: World) -> None:
    for side in (Side.IN, Side.OUT):
        hub.now += 10 * SECOND_MS
        hub.take(*walk(hub, side=side, at=hub.now)[1:])
    assert inside(hub) == {(1, HALL): False}


def test_an_inner_door_leads_out_of_one_room_and_into_another(hub: World) -> None:
    hub.take(*walk(hub, at=NOW - 20 * SECOND_MS)[1:])
    hub.take(*walk(hub, INNER, at=NOW - 10 * SECOND_MS)[1:])
    assert inside(hub) == {(1, HALL): False, (1, STUDIO): True}
    hub.take(*walk(hub, INNER, Side.OUT)[1:])
    assert inside(hub) == {(1, HALL): True, (1, STUDIO): False}
    assert counted(hub, STUDIO)[-1] == (NOW + 500, "out")
    assert counted(hub, HALL)[-1] == (NOW + 500, "in")


def test_the_newest_passage_tells_where_somebody_is(hub: World) -> None:
    _, *entered = walk(hub, at=NOW - 60 * SECOND_MS)
    _, *left = walk(hub, side=Side.OUT, at=NOW - 30 * SECOND_MS)
    hub.take(*left)
    hub.take(*entered)
    assert inside(hub) == {(1, HALL): False}


def test_a_clock_that_is_ahead_locks_nobody_in(hub: World) -> None:
    hub.take(*walk(hub, at=NOW + 3_600 * SECOND_MS)[1:])
    hub.now += 60 * SECOND_MS
    hub.take(*walk(hub, side=Side.OUT, at=hub.now - 500)[1:])
    assert inside(hub) == {(1, HALL): False}
    assert len(hub.rows(models.Passage)) == 2


def test_a_stranger_in_free_passage_is_counted_and_is_nobody(hub: World) -> None:
    _, *said = walk(hub, uid=OTHER_UID)
    hub.take(*said)
    assert hub.rows(models.Passage)[0]["member_id"] is None
    assert inside(hub) == {}
    assert counted(hub) == [(NOW + 500, "in")]


def test_a_passage_of_a_tap_that_never_comes_is_kept(hub: World) -> None:
    hub.take(hub.device.passage(tap="lost"))
    assert hub.rows(models.Passage)[0]["tap"] == "lost"
    assert (inside(hub), counted(hub)) == ({}, [(NOW, "in")])


def test_a_group_behind_one_command_is_a_contact(hub: World) -> None:
    hub.take(hub.device.passage(side=None, command="c"))
    assert counted(hub) == [(NOW, None)]
