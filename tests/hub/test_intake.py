"""A batch in, one transaction, replies out: nothing lost, nothing twice, nothing said too early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tests.hub.intake_world import (
    AIR,
    BACK,
    CO2,
    FRONT,
    HALL,
    HOUR_MS,
    NOW,
    OTHER_UID,
    UID,
    Device,
    World,
    world,
)

from kokubus import wire
from kokubus.downlinks import AccessDecided, Receipt
from kokubus.messages import By, Clock, Dropped, Enforced, ExitRequested, NoEntry
from kokubus.ranges import Ranges
from kokubus_hub import database, intake, models
from kokubus_hub.sorting import Letter
from kokubus_hub.spools import SpoolMovedError


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def dead(hub: World) -> list[str]:
    return [row["error"] for row in hub.rows(models.DeadLetter)]


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


# --- bad letters, alone ------------------------------------------------------------------


def damaged(letter: Letter, old: bytes, new: bytes) -> Letter:
    assert old in letter.payload
    return Letter(letter.topic, letter.payload.replace(old, new))


def test_only_the_bad_letter_of_a_batch_is_refused(hub: World) -> None:
    good, bad, last = (hub.device.read(AIR, 20.0) for _ in range(3))
    bad = damaged(bad, b'"value":20.0', b'"value":"warm"')
    assert hub.receipted(hub.take(good, bad, last)) == (Ranges([(1, 1), (3, 3)]), [2])
    assert len(hub.rows(models.Reading)) == 2
    (letter,) = hub.rows(models.DeadLetter)
    assert (letter["device"], letter["topic"], letter["payload"]) == (
        "dorf-1", bad.topic, bad.payload,
    )  # fmt: skip
    assert "readings.0.value" in letter["error"]


def test_a_bad_letter_that_comes_again_is_refused_again_and_kept_once(hub: World) -> None:
    """Its receipt was lost: were it not repeated, the device would send it for ever."""
    bad = damaged(hub.device.read(AIR, 20.0), b"20.0", b'"warm"')
    for _ in range(3):
        assert hub.receipted(hub.take(bad)) == (Ranges(), [1])
    assert len(dead(hub)) == 1


def test_another_devices_door_is_refused(hub: World) -> None:
    trespass = hub.device.fact(NoEntry, door=BACK, tap="t")
    assert hub.receipted(hub.take(trespass, hub.device.read(AIR, 1.0))) == (Ranges([(2, 2)]), [1])
    assert "is not one of this device's" in dead(hub)[0]
    assert hub.rows(models.DoorEvent) == []


def test_readings_of_an_unknown_sensor_are_refused_whole(hub: World) -> None:
    reading = {"quantity": "co2", "at": NOW, "value": 500.0}
    readings = [reading | {"sensor": CO2}, reading | {"sensor": "dorf-attic"}]
    letter = hub.device.read(AIR, 1.0)
    fields = wire._object(letter.payload, wire.UPLINK_LIMIT, "") | {"readings": readings}
    assert hub.receipted(hub.take(Letter(letter.topic, wire._bytes(fields)))) == (Ranges(), [1])
    assert hub.rows(models.Reading) == []
    assert "'dorf-attic' is not known" in dead(hub)[0]


def test_a_tap_sealed_for_another_tap_is_refused(hub: World) -> None:
    stolen, other = hub.device.tapped(), hub.device.tapped()
    letter = hub.device.say(stolen)
    letter = damaged(letter, stolen.sealed.encode(), other.sealed.encode())
    assert hub.receipted(hub.take(letter)) == (Ranges(), [1])
    assert hub.rows(models.AccessEvent) == []
    assert "not sealed for this tap" in dead(hub)[0]


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b'{"v":1}', b"{" * 5_000, b'"' + b"x" * wire.UPLINK_LIMIT]
)
def test_what_is_no_message_is_kept_or_dropped_and_harms_nobody(hub: World, payload: bytes) -> None:
    good = hub.device.read(AIR, 20.0)
    assert hub.receipted(hub.take(Letter(good.topic, payload), good)) == (Ranges([(1, 1)]), [])
    assert len(dead(hub)) == (payload != b'{"v":1}')


@pytest.mark.parametrize("topic", ["", "x", "kokubus/v1", "kokubus/v1/DORF/up/sensors_read"])
def test_a_strange_topic_is_kept(hub: World, topic: str) -> None:
    assert hub.take(Letter(topic, b"{}")) == []
    assert len(dead(hub)) == 1


def test_a_kind_of_a_later_release_is_left_with_its_device(hub: World) -> None:
    """Neither kept nor receipted: once the hub is of that release, it is sent again."""
    letter = hub.device.read(AIR, 1.0)
    for old, new in ((b"sensors_read", b"window_opened"), (b'"v":1', b'"v":2')):
        later = Letter(letter.topic.replace("sensors_read", "window_opened"), letter.payload)
        assert hub.take(damaged(later, old, new)) == []
    assert (dead(hub), hub.rows(models.Spool)) == ([], [])


@pytest.mark.parametrize("revoked", [False, True])
def test_an_unknown_or_revoked_device_is_given_no_receipt(hub: World, revoked: bool) -> None:
    stranger = hub.other if revoked else Device("dorf-9", hub.keyring)
    hub.set(models.Device, "dorf-2", revoked_at=NOW)
    said = [stranger.tap(door=BACK), stranger.fact(ExitRequested, door=BACK)]
    bad = stranger.fact(ExitRequested, door=BACK)
    assert hub.take(*said, damaged(bad, b'"at"', b'"on"')) == []
    assert hub.rows(models.AccessEvent) == hub.rows(models.Spool) == []


def test_a_letter_that_breaks_the_database_is_buried_without_its_batch(hub: World) -> None:
    """Two taps of one id under two numbers: the second cannot be recorded."""
    tap = hub.device.tapped()
    letters = [hub.device.say(tap), hub.device.say(tap), hub.device.read(AIR, 1.0)]
    assert hub.receipted(hub.take(*letters)) == (Ranges([(1, 1), (3, 3)]), [2])
    assert len(hub.rows(models.AccessEvent)) == len(hub.rows(models.Reading)) == 1
    assert "IntegrityError" in dead(hub)[0]
    assert hub.receipted(hub.take(letters[1]))[0] == Ranges([(2, 2)])


def test_no_uid_reaches_the_database_or_the_log(hub: World) -> None:
    hub.book(hub.member())
    hub.take(hub.device.tap(), hub.device.tap(OTHER_UID))
    hub.take(damaged(hub.device.tap(), b'"side"', b'"slide"'))
    locked(hub, [hub.device.tap()])
    assert UID not in str(hub.logs)
    with database.reading(hub.engine) as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert "access_event" in dump
    assert UID not in dump
    assert OTHER_UID not in dump


# --- when nothing can be written ---------------------------------------------------------


def locked(hub: World, letters: list[Letter]) -> Any:
    """What is answered while another process holds the database."""
    engine = database.engine(str(hub.engine.url), busy_ms=1)
    try:
        with database.writing(hub.engine):
            return intake.Intake(engine, hub.keyring).take(letters, NOW)
    finally:
        engine.dispose()


def test_a_hub_that_cannot_record_says_so_and_receipts_nothing(hub: World) -> None:
    hub.book(hub.member())
    tap, reading = hub.device.tap(), hub.device.read(AIR, 1.0)
    (answer,) = hub.heard(locked(hub, [tap, reading]))
    assert (answer.granted, answer.reason, answer.recorded) == (False, "hub_cannot_record", False)
    assert hub.rows(models.AccessEvent) == hub.rows(models.Spool) == []
    assert hub.receipted(hub.take(tap, reading)) == (Ranges([(1, 2)]), [])


def test_a_full_disk_grants_nothing(hub: World) -> None:
    hub.book(hub.member())
    hub.reason()
    with database.reading(hub.engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    answers = hub.heard(hub.take(*[hub.device.tap() for _ in range(100)]))
    assert {(a.granted, a.reason, a.recorded) for a in answers} == {
        (False, "hub_cannot_record", False)
    }
    assert len(hub.rows(models.AccessEvent)) == 1


def test_what_fails_at_the_commit_was_never_said(hub: World) -> None:
    """Also a deferred failure: replies are handed out only by a transaction that holds."""
    hub.book(hub.member())

    def fail(_connection: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    event.listen(hub.engine, "commit", fail)
    letter = hub.device.tap()
    (answer,) = hub.heard(hub.take(letter))
    event.remove(hub.engine, "commit", fail)
    assert (answer.granted, answer.recorded) == (False, False)
    assert hub.ask(letter).granted
    assert len(hub.rows(models.AccessEvent)) == 1


def test_nothing_is_said_before_the_commit(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    event.listen(hub.engine, "commit", lambda _: order.append("commit"))
    record = hub.intake._record

    def said(*batch: Any) -> Any:
        replies = record(*batch)
        order.append("said")
        return replies

    monkeypatch.setattr(hub.intake, "_record", said)
    hub.take(hub.device.tap())
    assert order == ["commit", "said"]


class _Broken:
    """Rules that cannot be read, as a damaged row would make them."""

    def __init__(self, *_: object) -> None:
        raise ValueError("damaged")


def test_when_even_burying_fails_the_devices_keep_everything(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [hub.device.tap(), hub.device.read(AIR, 1.0)]
    with monkeypatch.context() as patch:
        patch.setattr("kokubus_hub.places.load", _Broken)
        (answer,) = hub.heard(hub.take(*letters))
        assert (answer.reason, answer.recorded) == ("hub_cannot_record", False)
    assert hub.receipted(hub.take(*letters)) == (Ranges([(1, 2)]), [])
    assert dead(hub) == []


def test_a_listener_that_is_overtaken_starts_over_and_counts_once(hub: World) -> None:
    """Two listeners, one fact: each of them in turn finds the other's row."""
    second = World(hub.engine, hub.keyring)
    letters = [hub.device.read(AIR, float(n)) for n in range(6)]
    for n, letter in enumerate(letters):
        for one in (hub, second)[:: 1 if n % 2 else -1]:
            assert one.receipted(one.take(letter)) == (Ranges([(n + 1, n + 1)]), [])
    assert [row["value"] for row in hub.rows(models.Reading)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_listener_that_is_overtaken_for_ever_loses_nothing(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(*_: object) -> None:
        raise SpoolMovedError("again")

    tap, reading = hub.device.tap(), hub.device.read(AIR, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(hub.intake._spools, "write", moved)
        (answer,) = hub.heard(hub.take(tap, reading))
        assert (answer.recorded, answer.reason) == (False, "hub_cannot_record")
        assert hub.take(reading) == []
    assert dead(hub) == []
    assert hub.receipted(hub.take(tap, reading)) == (Ranges([(1, 2)]), [])


def test_what_was_rolled_back_is_new_again(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [hub.device.read(CO2, 600.0), hub.device.passage(tap=None)]
    with monkeypatch.context() as patch:
        patch.setattr(hub.intake._spools, "write", _raise_locked)
        assert hub.take(*letters) == []
    hub.take(*letters)
    (belief,) = hub.rows(models.Belief)
    assert (belief["room_id"], len(hub.rows(models.Passage))) == (HALL, 1)


def _raise_locked(*_: object) -> None:
    raise OperationalError("UPDATE spool", {}, Exception("database is locked"))


def test_an_empty_batch_is_nothing(hub: World) -> None:
    assert hub.take() == []


def test_the_clock_of_the_hub_decides_not_the_doors(hub: World) -> None:
    hub.book(hub.member(), start=NOW + 2 * HOUR_MS)
    letter = hub.device.tap(at=NOW + 2 * HOUR_MS)
    assert hub.ask(letter).reason == "too_early"


class _DeadlockError(Exception):
    """As psycopg tells of a transaction that gave way."""

    sqlstate = "40P01"


def test_a_transaction_that_gave_way_is_begun_again(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_way = [1, 1]
    write = hub.intake._spools.write

    def deadlock(connection: Any) -> None:
        if give_way:
            give_way.pop()
            raise OperationalError("UPDATE spool", {}, _DeadlockError())
        write(connection)

    monkeypatch.setattr(hub.intake._spools, "write", deadlock)
    hub.book(hub.member())
    answer = hub.ask(hub.device.tap())
    assert (answer.granted, answer.recorded, give_way) == (True, True, [])
    assert len(hub.rows(models.AccessEvent)) == 1
