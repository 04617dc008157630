"""A tap's rights are looked up by its member on SQLite too, which has no statistics to go by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from tests.hub.intake_world import World, world

from kokubus_hub import database


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_a_taps_bookings_are_found_by_their_member(hub: World) -> None:
    asked: dict[str, Any] = {}

    @event.listens_for(hub.engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, given: Any, _x: Any, many: bool) -> None:
        if not many and "FROM booking" in statement and not statement.startswith("EXPLAIN"):
            asked[statement] = given

    hub.book(hub.member())
    assert hub.reason() == "booked"
    with database.reading(hub.engine) as connection:
        plans = [_plan(connection, statement, given) for statement, given in asked.items()]
    assert plans, "the tap asked for no booking"
    for plan in plans:
        searched = [line for line in plan if "booking " in line]
        assert all("member_id=?" in line or "rowid=?" in line for line in searched), plan


def _plan(connection: Connection, statement: str, given: Any) -> list[str]:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
    return [row[3] for row in rows]
