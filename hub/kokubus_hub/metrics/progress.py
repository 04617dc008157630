"""How far the projection is, told without its client: each role of the hub loads this."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from kokubus_hub import models
from kokubus_hub.metrics import refused
from kokubus_hub.metrics.points import SOURCES
from kokubus_hub.models import Base, table

_CURSOR = table(models.MetricCursor)


def cursor(connection: Connection, name: str) -> int:
    """Up to which id a source has been projected."""
    query = select(_CURSOR.c.last_id).where(_CURSOR.c.name == name)
    return int(connection.execute(query).scalar() or 0)


def behind(connection: Connection) -> dict[str, int]:
    """Rows not projected yet, by source; some of them may never become points."""
    return {source.name: _behind(connection, source.name) for source in SOURCES}


def report(connection: Connection) -> Iterator[str]:
    """For whoever asks on the command line: sources, then what was set aside and why."""
    counts = refused.counted(connection)
    for name, rows in behind(connection).items():
        aside = counts.get(name, 0)
        yield f"{name}\t{rows} waiting\t{aside} set aside"
    for name, row, reason in refused.latest(connection):
        yield f"set aside: {name} {row}: {reason}"


def _behind(connection: Connection, name: str) -> int:
    source = Base.metadata.tables[name]
    query = select(func.count()).select_from(source)
    return int(connection.execute(query.where(source.c.id > cursor(connection, name))).scalar_one())
