"""The projection's cursors on a real PostgreSQL, where ids do not become visible in their order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, select, text
from tests.hub import busy_place as busy
from tests.hub import facts
from tests.hub.policy_world import NOW, World, furnished
from tests.integration import test_postgresql as postgresql

from kokubus_hub import database, models
from kokubus_hub.keys import Keyring
from kokubus_hub.metrics import progress
from kokubus_hub.metrics.influx import Keep
from kokubus_hub.metrics.projector import Projector
from kokubus_hub.models import table
from kokubus_hub.reports import release, service
from kokubus_hub.reports.service import Scope
from kokubus_hub.settings import Settings

server, engine = postgresql.server, postgresql.engine
PASSAGE = {"door_id": 1, "at": NOW, "received_at": NOW}
WRITERS, EACH = 6, 150


class Seen:
    """The ids of the points that were written, from below their milliseconds."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def __call__(self, _keep: Keep, lines: Sequence[str]) -> None:
        self.ids += [int(line.rsplit(" ", 1)[1]) % 1_000_000 for line in lines]


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> World:
    database.migrate(engine)
    return furnished(engine, Keyring.create(tmp_path / "keys"))


def passage(connection: Connection) -> None:
    connection.execute(insert(table(models.Passage)).values(PASSAGE))


def test_a_lower_id_that_becomes_visible_later_is_not_skipped(hub: World) -> None:
    seen = Seen()
    projector = Projector(hub.engine, seen)
    with database.writing(hub.engine) as slow:
        passage(slow)
        facts.passage(hub)
        assert projector.turn(NOW) == 0
    assert [projector.turn(NOW) for _ in range(3)] == [2, 0, 0]
    assert seen.ids == [1, 2]


def test_writers_that_came_later_hold_nothing_up(hub: World) -> None:
    projector = Projector(hub.engine, Seen())
    with ExitStack() as later:
        with database.writing(hub.engine) as slow:
            passage(slow)
            facts.passage(hub)
            assert projector.turn(NOW) == 0
            passage(later.enter_context(database.writing(hub.engine)))
        assert projector.turn(NOW) == 2, "one is still writing, but none that could come before"
        assert projector.turn(NOW) == 0
    assert projector.turn(NOW) == 1


def test_a_backup_and_a_rolled_back_writer_hold_nothing_up(hub: World) -> None:
    projector = Projector(hub.engine, Seen())
    with hub.engine.connect() as dump:
        dump.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        dump.execute(select(table(models.Passage))).all()
        with hub.engine.connect() as failing:
            passage(failing)
        facts.passage(hub)
        assert projector.turn(NOW) == 1


def test_many_listeners_at_once_and_each_fact_is_projected_once(hub: World) -> None:
    seen, done = Seen(), threading.Event()

    def listener(number: int) -> None:
        for _ in range(EACH):
            with database.writing(hub.engine) as connection:
                passage(connection)
                connection.execute(text("SELECT pg_sleep(:s)"), {"s": 0.002 * (number % 3)})

    def project() -> None:
        projector = Projector(hub.engine, seen)
        while not done.is_set():
            projector.turn(NOW)
        projector.turn(NOW)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        projecting = pool.submit(project)
        list(pool.map(listener, range(WRITERS)))
        done.set()
        projecting.result()
    assert sorted(seen.ids) == list(range(1, WRITERS * EACH + 1))


def test_condensed_series_and_reports_are_made_there_too(hub: World) -> None:
    """The same SQL: spans of time, sums and means mean the same on PostgreSQL."""
    monday = date(2026, 9, 7)
    where, known = busy.place(hub, "kokubus", desks=10), busy.members(hub, 6)
    end = monday + timedelta(days=7)
    town, gone = busy.town(hub, "ostelsheim"), end + timedelta(days=7)
    stop = busy.stands(hub, where, town, monday, gone)
    for day in busy.weekdays(monday, 1):
        where.day(day, known, booked=known[:5], turned_away=1)
    where.write()
    lines: list[str] = []
    Projector(hub.engine, lambda _, some: lines.extend(some)).turn(NOW)
    hours = [line for line in lines if line.startswith("doors_1h")]
    assert any("granted=6i,denied=0i,full=0i" in line for line in hours)
    assert any(",person_hours=1.5 " in line for line in lines)
    assert any(line.startswith("usual_15m") and "mean=6.0,weeks=1i" in line for line in lines)
    while release.release_next(hub.engine, busy.at(end + timedelta(days=5))):
        pass
    with database.reading(hub.engine) as connection:
        report = service.report(connection, Settings(), Scope.PLACEMENTS, str(stop))
        assert next(iter(progress.report(connection))).endswith("0 waiting\t0 set aside")
    totals = {key: value.value for key, value in report.totals.items()}
    assert (totals["person_hours"], totals["visits"], totals["bookings"]) == (200, 25, 25)
    assert (totals["turned_away_hours"], totals["bad_air_hours"]) == (5, 35)
