"""Puts many rows into the database without keeping the doors waiting, all or none.

New rows arrive a few hundred at a time with the status ``staged:<status>``, which is in force
nowhere; between two lots the database is left to others. When all are in, one transaction
applies what changes in existing rows and marks the import as switching; then every row gets
its status. An import that was killed is undone by the next one, or finished if it was
switching already. One import at a time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import changes
from kokubus_hub.database import reading, writing
from kokubus_hub.models import AccessEvent, Badge, Booking, Member, Setting, table

Row = dict[str, Any]
Clock = Callable[[], Instant]
LOT = 500
STALE_MS = 60_000
_PREFIX = "staged:"
_KEY = "import"
_STAGED = (table(Member), table(Badge), table(Booking))
"""Parents before children."""
_SETTING = table(Setting)
_EVENT = table(AccessEvent)


class ImportBusyError(KokubusError):
    """Another import is under way; wait until it is done."""


@dataclass(frozen=True, slots=True)
class Stage:
    """New rows of one table; ``rows`` is asked once those of earlier stages are in."""

    table: Table
    rows: Callable[[Connection], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does. ``updates`` are rows with ``id`` and what changes in them."""

    what: str
    site_id: int | None
    stages: Sequence[Stage]
    updates: Sequence[tuple[Table, Sequence[Row]]]


def store(engine: Engine, plan: Plan, clock: Clock) -> None:
    """Carry out a plan; an exception leaves the database as it was."""
    _take(engine, plan, clock())
    try:
        for stage in plan.stages:
            _fill(engine, stage, plan, clock)
        with writing(engine) as connection:
            _update(connection, plan)
            _note(connection, "switching", plan, clock())
    except BaseException:
        _undo(engine)
        raise
    _switch(engine, plan, clock())


def _take(engine: Engine, plan: Plan, now: Instant) -> None:
    with writing(engine) as connection:
        held = connection.execute(select(_SETTING.c.value).where(_SETTING.c.key == _KEY)).scalar()
        left = json.loads(held) if held else None
        if left and now - left["at"] < STALE_MS:
            raise ImportBusyError("another import is under way; try again when it is done")
        if not left:
            _note(connection, "staging", plan, now)
            return
        _note(connection, left["phase"], Plan(left["what"], left["site_id"], (), ()), now)
    _recover(engine, left, now)
    _take(engine, plan, now)


def _recover(engine: Engine, left: Mapping[str, Any], now: Instant) -> None:
    if left["phase"] == "staging":
        _undo(engine)
    else:
        _switch(engine, Plan(left["what"], left["site_id"], (), ()), now)


def _fill(engine: Engine, stage: Stage, plan: Plan, clock: Clock) -> None:
    with reading(engine) as connection:
        rows = [_as_staged(row) for row in stage.rows(connection)]
    for start in range(0, len(rows), LOT):
        with _lot(engine) as connection:
            connection.execute(insert(stage.table), rows[start : start + LOT])
            _note(connection, "staging", plan, clock())


@contextmanager
def _lot(engine: Engine) -> Iterator[Connection]:
    """One short transaction, and then as long again for whoever answers at a door."""
    began = time.monotonic()
    with writing(engine) as connection:
        yield connection
    if engine.dialect.name == "sqlite":
        time.sleep(time.monotonic() - began)


def _as_staged(row: Row) -> Row:
    return row | {"status": _PREFIX + row["status"]}


def _update(connection: Connection, plan: Plan) -> None:
    for target, rows in plan.updates:
        for row in rows:
            values = {key: value for key, value in row.items() if key != "id"}
            connection.execute(update(target).where(target.c.id == row["id"]).values(values))


def _switch(engine: Engine, plan: Plan, now: Instant) -> None:
    for target in _STAGED:
        plain = func.substr(target.c.status, len(_PREFIX) + 1)
        for ids in _staged_ids(engine, target):
            with _lot(engine) as connection:
                connection.execute(update(target).where(target.c.id.in_(ids)).values(status=plain))
    with writing(engine) as connection:
        changes.record(connection, now, plan.what, plan.site_id)
        connection.execute(delete(_SETTING).where(_SETTING.c.key == _KEY))


def _undo(engine: Engine) -> None:
    for target in reversed(_STAGED):
        for ids in _staged_ids(engine, target):
            with _lot(engine) as connection:
                if target is table(Badge):  # somebody may have tapped it meanwhile
                    forget = update(_EVENT).where(_EVENT.c.badge_id.in_(ids))
                    connection.execute(forget.values(badge_id=None, member_id=None))
                connection.execute(delete(target).where(target.c.id.in_(ids)))
    with writing(engine) as connection:
        connection.execute(delete(_SETTING).where(_SETTING.c.key == _KEY))


def _staged_ids(engine: Engine, target: Table) -> Iterator[list[int]]:
    with reading(engine) as connection:
        staged = select(target.c.id).where(target.c.status.startswith(_PREFIX))
        ids = list(connection.execute(staged.order_by(target.c.id)).scalars())
    for start in range(0, len(ids), LOT):
        yield ids[start : start + LOT]


def _note(connection: Connection, phase: str, plan: Plan, now: Instant) -> None:
    note = {"phase": phase, "at": now, "what": plan.what, "site_id": plan.site_id}
    connection.execute(delete(_SETTING).where(_SETTING.c.key == _KEY))
    connection.execute(insert(_SETTING).values(key=_KEY, value=json.dumps(note)))
