"""A batch in, one transaction, replies out: nothing lost, nothing twice, nothing said too early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.intake_world import (
    AIR,
    BACK,
    FRONT,
    NOW,
    Device,
    World,
    world,
)

from kokubus.downlinks import AccessDecided, Receipt
from kokubus.messages import By, Clock, Dropped, Enforced, ExitRequested
from kokubus.ranges import Ranges
from kokubus_hub import models


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


# --- recorded, answered, receipted -------------------------------------------------------


def test_a_tap_is_recorded_and_its_answer_is_its_receipt(hub: World) -> None:
    hub.book(hub.member())
    tap = hub.device.tapped()
    (answer,) = hub.heard(hub.take(hub.device.say(tap)))
    assert answer == AccessDecided(
        tap=tap.id, granted=True, reason="booked", epoch=hub.device.epoch, seq=1
    )
    (row,) = hub.rows(models.AccessEvent)
    assert (row["tap"], row["granted"], row["reason"], row["right"]) == (
        tap.id, True, "booked", "b1",
    )  # fmt: skip
    assert (row["at"], row["decided_at"], row["late"]) == (NOW, NOW, False)


def test_other_facts_are_receipted_together_by_exact_ranges(hub: World) -> None:
    letters = [hub.device.read(AIR, 20.0) for _ in range(3)]
    del letters[1]
    (receipt,) = hub.heard(hub.take(*letters))
    assert receipt == Receipt(epoch=hub.device.epoch, ranges=((1, 1), (3, 3)))
    assert len(hub.rows(models.Reading)) == 2


def test_each_device_and_epoch_gets_its_own_receipt(hub: World) -> None:
    renewed = Device("dorf-1", hub.keyring, epoch="new-card", made=50)
    said = [hub.device.read(AIR, 1.0), renewed.read(AIR, 2.0)]
    said.append(hub.other.fact(ExitRequested, door=BACK))
    replies = hub.take(*said)
    told = {(r.topic.split("/")[2], m.epoch, m.ranges) for r, m in zip(
        replies, hub.heard(replies), strict=True)}  # fmt: skip
    assert told == {
        ("dorf-1", "epoch-of-dorf-1", ((1, 1),)),
        ("dorf-1", "new-card", ((1, 1),)),
        ("dorf-2", "epoch-of-dorf-2", ((1, 1),)),
    }


def test_a_repeated_tap_is_given_the_answer_it_was_given(hub: World) -> None:
    booking = hub.book(hub.member())
    letter = hub.device.tap()
    first = hub.ask(letter)
    hub.set_id(models.Booking, booking, status="cancelled")
    assert hub.reason() == "no_booking"
    assert hub.ask(letter) == first
    assert len(hub.rows(models.AccessEvent)) == 2


def test_a_tap_twice_in_one_batch_is_one_tap(hub: World) -> None:
    letter = hub.device.tap()
    answers = hub.heard(hub.take(letter, letter))
    assert [answer.reason for answer in answers] == ["badge_unknown"] * 2
    assert len(hub.rows(models.AccessEvent)) == 1


def test_a_late_tap_is_recorded_and_never_decided(hub: World) -> None:
    hub.book(hub.member())
    letter = hub.device.tap(at=NOW - 60_000)
    for _ in range(2):
        (receipt,) = hub.heard(hub.take(letter))
        assert receipt == Receipt(epoch=hub.device.epoch, ranges=((1, 1),))
    (row,) = hub.rows(models.AccessEvent)
    assert (row["granted"], row["decided_at"], row["late"]) == (None, None, True)
    assert row["member_id"] is not None


def test_a_tap_that_the_door_has_decided_in_the_same_batch_is_not_decided(hub: World) -> None:
    """A clock nobody trusts cannot show that a tap is a day old; what follows it can."""
    hub.book(hub.member())
    hub.device.clock = Clock.UNTRUSTED
    tap = hub.device.tapped(at=1_000)
    enforced = hub.device.fact(
        Enforced, tap=tap.id, door=FRONT, by=By.EDGE, granted=False, reason="clock_untrusted"
    )
    hub.take(enforced, hub.device.say(tap))
    (row,) = hub.rows(models.AccessEvent)
    assert (row["granted"], row["late"]) == (None, True)


def test_a_tap_of_an_untrusted_clock_is_decided(hub: World) -> None:
    hub.book(hub.member())
    hub.device.clock = Clock.UNTRUSTED
    assert hub.ask(hub.device.tap(at=1_000)).granted


def test_dropped_numbers_close_their_gap(hub: World) -> None:
    hub.take(hub.device.read(AIR, 1.0))
    hub.device.seq = 9
    gone = hub.device.fact(Dropped, ranges=((2, 4), (7, 7)), lost="sensors_read")
    assert hub.receipted(hub.take(gone)) == (Ranges([(10, 10)]), [])
    (spool,) = hub.rows(models.Spool)
    assert spool["received"] == "[[1,4],[7,7],[10,10]]"
    (alarm,) = hub.rows(models.Alarm)
    assert (alarm["kind"], alarm["detail"]) == (
        "facts_dropped", {"lost": "sensors_read", "count": 4},
    )  # fmt: skip


def test_numbers_never_used_are_no_alarm(hub: World) -> None:
    hub.device.seq = 5
    hub.take(hub.device.fact(Dropped, ranges=((1, 5),), lost="unused"))
    assert hub.rows(models.Alarm) == []
    assert hub.rows(models.Spool)[0]["received"] == "[[1,6]]"
