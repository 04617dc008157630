"""Up to which id no row can appear any more.

PostgreSQL hands ids out before rows become visible: with two listeners, 7 may be committed after
8 was read. Every writer of a table holds a ROW EXCLUSIVE lock on it from before it takes its
first id until after its rows are visible. So whoever reads the highest id, and only then sees
which transactions hold that lock, knows: once those have ended, no id up to that highest one can
still appear. Nobody is held up by looking, and a long transaction elsewhere (a backup) does not
hold us up, as the horizon of `pg_snapshot_xmin` would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from kokubus_hub.models import Base

_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND relation = CAST(:name AS regclass) AND mode = 'RowExclusiveLock' AND granted"
)


@dataclass(slots=True)
class Settling:
    """One table's highest settled id, from one look to the next."""

    name: str
    settled: int = 0
    _highest: int = 0
    _writers: set[str] = field(default_factory=set)

    def upto(self, connection: Connection) -> int:
        """The highest id below which nothing is missing; read the rows in a later snapshot."""
        highest = int(connection.execute(_highest(self.name)).scalar_one())
        if connection.dialect.name == "sqlite":  # one writer: ids appear in their order
            return highest
        writers = set(connection.execute(_WRITERS, {"name": self.name}).scalars())
        if not writers:
            self.settled = highest
        elif not self._writers & writers:
            self.settled = max(self.settled, self._highest)
            self._highest, self._writers = highest, writers
        return self.settled


def _highest(name: str) -> Select[Any]:
    return select(func.coalesce(func.max(Base.metadata.tables[name].c.id), 0))
