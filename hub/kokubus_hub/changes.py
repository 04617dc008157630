"""The one way to say that policies may have changed: a row in the same transaction."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, text

from kokubus.messages import Instant
from kokubus_hub.models import Change, table

_CHANGE = table(Change)
_LATEST = select(func.coalesce(func.max(_CHANGE.c.id), 0))


def record(connection: Connection, at: Instant, what: str, site_id: int | None = None) -> int:
    """Note a change of one site (None: of all) and return its id.

    Ids become visible in their order: whoever follows ``id > ?`` misses none. SQLite has one
    writer anyway; on PostgreSQL the lock makes writers of changes, and them alone, queue up.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE change IN EXCLUSIVE MODE"))
    row = {"at": at, "site_id": site_id, "what": what}
    added = connection.execute(insert(_CHANGE).values(row).returning(_CHANGE.c.id))
    return int(added.scalar_one())


def latest(connection: Connection) -> int:
    """The id of the newest change; 0 if there was none."""
    return int(connection.execute(_LATEST).scalar_one())
