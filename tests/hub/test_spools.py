"""Exactly once: the ledger of numbers, alone and against another listener's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine
from tests.core.strategies import trying
from tests.hub.intake_world import World, world

from kokubus.messages import Clock, Stamp
from kokubus_hub import database, models
from kokubus_hub.spools import SpoolMovedError, Spools

DEVICE, OTHER = 1, 2


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For many examples; each begins by clearing what it looks at."""
    with world(tmp_path_factory.mktemp("shared")) as made:
        yield made


def stamp(seq: int, epoch: str = "e1") -> Stamp:
    return Stamp(epoch=epoch, seq=seq, boot="b", uptime_ms=0, clock=Clock.SYNCED)


def receive(engine: Engine, spools: Spools, *numbers: int) -> list[bool]:
    with database.writing(engine) as connection:
        news = [spools.is_new(connection, DEVICE, stamp(number)) for number in numbers]
        spools.write(connection)
    return news


def ranges(hub: World) -> list[tuple[int, str, str, int]]:
    rows = hub.rows(models.Spool)
    return [(row["device_id"], row["epoch"], row["received"], row["version"]) for row in rows]


def test_a_number_is_new_once(hub: World) -> None:
    spools = Spools()
    assert receive(hub.engine, spools, 1, 2, 2, 4) == [True, True, False, True]
    assert receive(hub.engine, spools, 2, 3) == [False, True]
    assert ranges(hub) == [(DEVICE, "e1", "[[1,4]]", 2)]


def test_another_process_reads_what_was_received(hub: World) -> None:
    receive(hub.engine, Spools(), 5, 7)
    assert receive(hub.engine, Spools(), 5, 6, 7) == [False, True, False]


def test_devices_and_epochs_are_apart(hub: World) -> None:
    spools = Spools()
    with database.writing(hub.engine) as connection:
        for device, epoch in ((DEVICE, "e1"), (DEVICE, "e2"), (OTHER, "e1")):
            assert spools.is_new(connection, device, stamp(1, epoch))
        spools.write(connection)
    assert [row[:2] for row in ranges(hub)] == [(DEVICE, "e1"), (DEVICE, "e2"), (OTHER, "e1")]


def test_repeats_alone_write_nothing(hub: World) -> None:
    spools = Spools()
    receive(hub.engine, spools, 1)
    before = ranges(hub)
    assert receive(hub.engine, spools, 1, 1) == [False, False]
    assert ranges(hub) == before


def test_excused_numbers_are_no_gap_and_never_new(hub: World) -> None:
    spools = Spools()
    with database.writing(hub.engine) as connection:
        spools.is_new(connection, DEVICE, stamp(1))
        spools.excuse(connection, DEVICE, "e1", ((2, 5), (8, 8)))
        spools.write(connection)
    assert receive(hub.engine, spools, 3, 7, 6) == [False, True, True]
    assert ranges(hub)[0][2] == "[[1,8]]"


def test_whoever_writes_second_must_start_over(hub: World) -> None:
    """Two listeners were given the same fact: the slower one counts nothing."""
    quick, slow = Spools(), Spools()
    receive(hub.engine, quick, 1)
    receive(hub.engine, slow, 2)
    with pytest.raises(SpoolMovedError):
        receive(hub.engine, quick, 3)
    quick.forget()
    assert receive(hub.engine, quick, 2, 3) == [False, True]
    assert ranges(hub)[0][2:] == ("[[1,3]]", 3)


def test_of_several_records_one_that_moved_is_enough(hub: World) -> None:
    spools = Spools()
    with database.writing(hub.engine) as connection:
        assert spools.is_new(connection, DEVICE, stamp(1))
        assert spools.is_new(connection, OTHER, stamp(1))
        spools.write(connection)
    receive(hub.engine, Spools(), 9)
    with database.reading(hub.engine) as connection:
        spools.is_new(connection, DEVICE, stamp(2))
        spools.is_new(connection, OTHER, stamp(2))
        with pytest.raises(SpoolMovedError):
            spools.write(connection)
    assert [row[2] for row in ranges(hub)] == ["[[1,1],[9,9]]", "[[1,1]]"]


def test_a_record_that_another_listener_has_begun_is_no_conflict(hub: World) -> None:
    """Both saw no row; the second insert gives way instead of failing."""
    spools = Spools()
    with database.writing(hub.engine) as connection:
        _begun_meanwhile(connection, spools)
        with pytest.raises(SpoolMovedError, match="another listener"):
            spools._create(connection, (DEVICE, "e1"))


def _begun_meanwhile(connection: Connection, spools: Spools) -> None:
    assert Spools().is_new(connection, DEVICE, stamp(1))


def test_after_a_rollback_what_was_not_written_is_new_again(hub: World) -> None:
    spools = Spools()
    receive(hub.engine, spools, 1)
    with database.reading(hub.engine) as connection:
        assert spools.is_new(connection, DEVICE, stamp(2))
        spools.write(connection)
    spools.forget()
    assert receive(hub.engine, spools, 1, 2) == [False, True]


def test_what_was_forgotten_is_not_written_later(hub: World) -> None:
    spools = Spools()
    with database.writing(hub.engine) as connection:
        spools.is_new(connection, DEVICE, stamp(1))
        spools.forget()
        spools.write(connection)
    receive(hub.engine, spools, 2)
    assert ranges(hub)[0][2] == "[[2,2]]"


@trying
@given(st.lists(st.lists(st.integers(1, 12), max_size=6), max_size=5))
def test_in_whatever_order_each_is_new_exactly_once(
    shared: World, batches: list[list[int]]
) -> None:
    shared.clear(models.Spool)
    seen: set[int] = set()
    listeners = [Spools(), Spools()]
    for turn, numbers in enumerate(batches):
        spools = listeners[turn % 2]
        spools.forget()
        for number, new in zip(numbers, receive(shared.engine, spools, *numbers), strict=True):
            assert new == (number not in seen)
            seen.add(number)
