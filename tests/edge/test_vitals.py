"""The watchdog is fed while, and only while, every part gets on."""

from __future__ import annotations

import pytest

from kokubus_edge.vitals import Vitals


class Part:
    standing = 0

    def __call__(self) -> int:
        return self.standing


@pytest.fixture
def fed() -> list[int]:
    return []


def test_a_part_that_stands_still_stops_the_feeding_until_it_goes_on(fed: list[int]) -> None:
    vitals = Vitals(lambda: fed.append(1))
    spool, reader = Part(), Part()
    vitals.watch("spool", spool, 60_000)
    vitals.watch("reader", reader, 30_000)
    vitals.tick()
    reader.standing = 30_001
    vitals.tick()
    assert (len(fed), vitals.stuck()) == (1, ["reader"])
    spool.standing = 60_001
    assert vitals.stuck() == ["spool", "reader"]
    spool.standing = reader.standing = 10
    vitals.tick()
    assert (len(fed), vitals.stuck()) == (2, [])


def test_a_loop_that_does_not_tick_feeds_nobody(fed: list[int]) -> None:
    Vitals(lambda: fed.append(1))
    assert fed == []
