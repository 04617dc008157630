"""The projection's cursors on a real PostgreSQL, where ids do not become visible in their order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, select, text
from tests.hub import facts
from tests.hub.policy_world import NOW, World, furnished
from tests.integration import test_postgresql as postgresql

from kokubus_hub import database, models
from kokubus_hub.keys import Keyring
from kokubus_hub.metrics.influx import Keep
from kokubus_hub.metrics.projector import Projector
from kokubus_hub.models import table

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
