"""The one way to say that policies may have changed: a row in the same transaction.

The rows of `kokubus_hub.rights_history` that were written in it, before or after, belong to it.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from kokubus.messages import Instant
from kokubus_hub.bulk import run
from kokubus_hub.models import Change, History, table

COUNTING = "counting:"
"""Begins a change of how people are counted: places are read again, no policy depends on it."""
_CHANGE, _HISTORY = table(Change), table(History)
_LATEST = select(func.coalesce(func.max(_CHANGE.c.id), 0))
_RECORDED, _OPERATOR = "kokubus_change", "kokubus_operator"
_SETTLE = (
    update(_HISTORY).where(_HISTORY.c.change_id.is_(None)).values(change_id=bindparam("recorded"))
)


def record(
    connection: Connection,
    at: Instant,
    what: str,
    site_id: int | None = None,
    operator_id: int | None = None,
) -> int:
    """Note a change of one site (None: of all), and who made it (None: whose it is); its id.

    Ids become visible in their order: whoever follows ``id > ?`` misses none. SQLite has one
    writer anyway; on PostgreSQL the lock makes writers of changes, and them alone, queue up.
    """
    queue(connection)
    who = connection.info.get(_OPERATOR) if operator_id is None else operator_id
    row = {"at": at, "site_id": site_id, "what": what, "operator_id": who}
    added = connection.execute(insert(_CHANGE).values(row).returning(_CHANGE.c.id))
    change = int(added.scalar_one())
    connection.execute(_SETTLE, {"recorded": change})
    connection.info[_RECORDED] = change
    return change


def queue(connection: Connection) -> None:
    """Wait until nobody else is making a change; what is read from now on is what is.

    For whoever changes what they have read: two of them would else undo each other.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(text("LOCK TABLE change IN EXCLUSIVE MODE"))


def begin(connection: Connection, operator: int | None = None) -> None:
    """An operator's transaction begins, or nobody's: nothing is recorded in it yet."""
    connection.info.pop(_RECORDED, None)
    connection.info[_OPERATOR] = operator


def settle(connection: Connection) -> None:
    """Before the commit: what was written after the last `record` belongs to that change too."""
    change = connection.info.pop(_RECORDED, None)
    if change is not None:
        connection.execute(_SETTLE, {"recorded": change})


def latest(connection: Connection) -> int:
    """The id of the newest change; 0 if there was none."""
    return int(run(connection, _LATEST, {}).scalar_one())
