"""Puts many rows into the database without keeping the doors waiting, all or none.

New rows arrive a few hundred at a time with the status ``staged:<status>``, which is in force
nowhere; between two lots the database is left to others. When all are in, one transaction
applies what changes in existing rows and marks the import as switching; then every row gets
its status, and bookings their seats with it (`arriving`). An import that was killed is undone
by the next one, or finished if it was switching already. One import at a time.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import changes
from kokubus_hub.bookings import claims, service
from kokubus_hub.database import reading, writing
from kokubus_hub.imports import arriving
from kokubus_hub.models import AccessEvent, Badge, Booking, Member, Setting, table

Row = dict[str, Any]
Clock = Callable[[], Instant]
LOT = 500
BOOKINGS_LOT = 100
"""Bookings that come into force together: each is seated and owed to its doors."""
STALE_MS = 60_000
_PREFIX = "staged:"
_KEY = "import"
_STAGED = (table(Member), table(Badge), table(Booking))
"""Parents before children."""
_BESIDE = frozenset({"id", "companions", "seen"})
"""What rows of updates carry that is no column's value."""
_SETTING = table(Setting)
_BOOKING = table(Booking)
ARRIVING = 2**62
"""`Booking.change_id` until the import's own change has its number: delivered nowhere yet."""
_EVENT = table(AccessEvent)


class ImportBusyError(KokubusError):
    """Another import is under way; wait until it is done."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Rows of one table; ``rows`` is asked once those of earlier stages are in."""

    table: Table
    rows: Callable[[Connection], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does. ``stages`` add rows; ``updates`` have ``id`` and what changes.

    Rows of `Booking` carry ``change_id`` `ARRIVING` and are all of ``room_id``; an update of one
    may name the ``companions`` it has from now on (row ids of members), and the ``change_id`` it
    was ``seen`` with: whoever changed it since is not overruled.
    """

    what: str
    site_id: int | None
    room_id: int | None
    stages: Sequence[Stage]
    updates: Sequence[Stage]


def store(engine: Engine, plan: Plan, clock: Clock) -> None:
    """Carry out a plan, after `recover`; an exception leaves the database as it was.

    ImportBusyError also where somebody changed meanwhile what it was to change: plan anew.
    """
    _take(engine, plan, clock())
    try:
        for stage in plan.stages:
            _fill(engine, stage, plan, clock)
        with writing(engine) as connection:
            changes.queue(connection)
            _update(connection, plan)
            _note(connection, "switching", plan, clock())
    except BaseException:
        _undo(engine, plan, clock)
        raise
    _switch(engine, plan, clock)


def recover(engine: Engine, now: Instant) -> None:
    """Undo or finish an import that was killed; ImportBusyError if one is under way."""
    left = _left(engine, now)
    if left is None:
        return
    began = time.monotonic()
    finish = _undo if left["phase"] == "staging" else _switch
    finish(engine, _of(left), lambda: now + int((time.monotonic() - began) * 1000))


def _left(engine: Engine, now: Instant) -> dict[str, Any] | None:
    with writing(engine) as connection:
        held = connection.execute(select(_SETTING.c.value).where(_SETTING.c.key == _KEY)).scalar()
        if held is None:
            return None
        left: dict[str, Any] = json.loads(held)
        if now - left["at"] < STALE_MS:
            raise ImportBusyError("another import is under way; try again in a minute")
        _note(connection, left["phase"], _of(left), now)
        return left


def _take(engine: Engine, plan: Plan, now: Instant) -> None:
    try:
        with writing(engine) as connection:
            connection.execute(
                insert(_SETTING).values(key=_KEY, value=_noted("staging", plan, now))
            )
    except IntegrityError as error:
        raise ImportBusyError("another import is under way; try again in a minute") from error


def _fill(engine: Engine, stage: Stage, plan: Plan, clock: Clock) -> None:
    with reading(engine) as connection:
        rows = [_as_staged(row) for row in stage.rows(connection)]
    for start in range(0, len(rows), LOT):
        with _lot(engine, "staging", plan, clock) as connection:
            connection.execute(insert(stage.table), rows[start : start + LOT])


@contextmanager
def _lot(engine: Engine, phase: str, plan: Plan, clock: Clock) -> Iterator[Connection]:
    """One short transaction, and then as long again for whoever answers at a door.

    It says that the import goes on, or another would take it for one that was killed.
    """
    began = time.monotonic()
    with writing(engine) as connection:
        yield connection
        _note(connection, phase, plan, clock())
    if engine.dialect.name == "sqlite":
        time.sleep(time.monotonic() - began)


def _as_staged(row: Row) -> Row:
    return row | {"status": _PREFIX + row["status"]}


def _update(connection: Connection, plan: Plan) -> None:
    for stage in plan.updates:
        rows = stage.rows(connection)
        (_rebook if stage.table is _BOOKING else _alter)(connection, stage.table, rows)


def _alter(connection: Connection, target: Table, rows: Sequence[Row]) -> None:
    """Rows that change alike by one statement: nobody at a door is answered meanwhile."""
    alike: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        given = {f"to_{key}": value for key, value in row.items() if key != "id"}
        alike[tuple(key for key in row if key != "id")].append({"row": row["id"]} | given)
    for columns, changes_of in alike.items():
        values: Row = {column: bindparam(f"to_{column}") for column in columns}
        these = update(target).where(target.c.id == bindparam("row")).values(values)
        if connection.execute(these, changes_of).rowcount != len(changes_of):
            raise ImportBusyError("a row of it was taken out meanwhile; try again")


def _rebook(connection: Connection, target: Table, rows: Sequence[Row]) -> None:
    """All at once, since bookings may change places."""
    claims.release(connection, [row["id"] for row in rows if "start" in row])
    for row in rows:
        values = {key: value for key, value in row.items() if key not in _BESIDE}
        changed = update(target).where(target.c.id == row["id"])
        if "seen" in row:
            changed = changed.where(_BOOKING.c.change_id.is_not_distinct_from(row["seen"]))
        if connection.execute(changed.values(values)).rowcount == 0:
            raise ImportBusyError("a booking was changed meanwhile; try again")
        if "companions" in row:
            service.hold(connection, row["id"], row["companions"])


def _switch(engine: Engine, plan: Plan, clock: Clock) -> None:
    lot, now = partial(_lot, engine, "switching", plan, clock), clock()
    for target in _STAGED:
        for ids in _staged_ids(engine, target):
            with lot() as connection:
                fresh = _in_force(connection, target, ids)
                if target is _BOOKING:
                    arriving.arrive(connection, fresh, plan.what, now, fresh=True)
    for ids in _lots(engine, _arriving(plan.room_id), BOOKINGS_LOT):
        with lot() as connection:
            arriving.arrive(connection, ids, plan.what, now)
    with writing(engine) as connection:
        if plan.room_id is None:
            changes.record(connection, now, plan.what, plan.site_id)
        connection.execute(delete(_SETTING).where(_SETTING.c.key == _KEY))


def _in_force(connection: Connection, target: Table, ids: Sequence[int]) -> list[int]:
    """Give these rows their status; those that still waited for it."""
    waiting = target.c.id.in_(ids) & target.c.status.startswith(_PREFIX)
    plain = func.substr(target.c.status, len(_PREFIX) + 1)
    switched = update(target).where(waiting).values(status=plain).returning(target.c.id)
    return sorted(connection.execute(switched).scalars())


def _arriving(room: int | None) -> Select[Any]:
    """Bookings whose changes have no number yet."""
    mine = select(_BOOKING.c.id).where(_BOOKING.c.room_id == room)
    return mine.where(_BOOKING.c.change_id == ARRIVING).order_by(_BOOKING.c.start)


def _undo(engine: Engine, plan: Plan, clock: Clock) -> None:
    for target in reversed(_STAGED):
        for ids in _staged_ids(engine, target):
            with _lot(engine, "staging", plan, clock) as connection:
                if target is table(Badge):  # somebody may have tapped it meanwhile
                    forget = update(_EVENT).where(_EVENT.c.badge_id.in_(ids))
                    connection.execute(forget.values(badge_id=None, member_id=None))
                connection.execute(delete(target).where(target.c.id.in_(ids)))
    with writing(engine) as connection:
        connection.execute(delete(_SETTING).where(_SETTING.c.key == _KEY))


def _staged_ids(engine: Engine, target: Table) -> Iterator[list[int]]:
    staged = select(target.c.id).where(target.c.status.startswith(_PREFIX)).order_by(target.c.id)
    return _lots(engine, staged, BOOKINGS_LOT if target is _BOOKING else LOT)


def _lots(engine: Engine, query: Select[Any], size: int) -> Iterator[list[int]]:
    with reading(engine) as connection:
        ids = list(connection.execute(query).scalars())
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _note(connection: Connection, phase: str, plan: Plan, now: Instant) -> None:
    noted = update(_SETTING).where(_SETTING.c.key == _KEY)
    connection.execute(noted.values(value=_noted(phase, plan, now)))


def _noted(phase: str, plan: Plan, now: Instant) -> str:
    said = {"what": plan.what, "site_id": plan.site_id, "room_id": plan.room_id}
    return json.dumps({"phase": phase, "at": now, **said})


def _of(left: Mapping[str, Any]) -> Plan:
    return Plan(left["what"], left["site_id"], left["room_id"], (), ())
