"""When nothing can be written, or somebody else was quicker: nothing is lost, nothing said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tests.hub.intake_world import (
    AIR,
    CO2,
    HALL,
    HOUR_MS,
    NOW,
    UID,
    World,
    world,
)

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
    assert UID not in str(hub.logs)
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
