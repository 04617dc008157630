"""Rows of which no point can be made, or whose point InfluxDB refuses: set aside with a reason.

They hold nothing up. `kokubus hub metrics status` lists them; `rebuild-metrics` tries again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, func, insert, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table

_REFUSED = table(models.MetricRefused)
LONGEST = 300


def keep(connection: Connection, source: str, reasons: Mapping[int, str], now: Instant) -> None:
    """Set rows of a source aside, by id, each with its reason; a row is kept once."""
    if not reasons:
        return
    forget(connection, source, reasons)
    rows = [
        {"source": source, "row_id": row, "reason": reason[:LONGEST], "refused_at": now}
        for row, reason in reasons.items()
    ]
    connection.execute(insert(_REFUSED), rows)


def forget(connection: Connection, source: str, rows: Iterable[int]) -> None:
    """Rows that are about to be tried again."""
    same = _REFUSED.c.row_id.in_(list(rows))
    connection.execute(delete(_REFUSED).where(_REFUSED.c.source == source, same))


def forget_all(connection: Connection) -> None:
    """All of them are about to be tried again."""
    connection.execute(delete(_REFUSED))


def counted(connection: Connection) -> dict[str, int]:
    """How many rows are set aside, by source."""
    query = select(_REFUSED.c.source, func.count().label("rows")).group_by(_REFUSED.c.source)
    return {row.source: row.rows for row in connection.execute(query)}


def latest(connection: Connection, limit: int = 20) -> list[tuple[str, int, str]]:
    """The newest: (source, row id, reason)."""
    query = select(_REFUSED.c.source, _REFUSED.c.row_id, _REFUSED.c.reason)
    found = connection.execute(query.order_by(_REFUSED.c.id.desc()).limit(limit))
    return [(source, row, reason) for source, row, reason in found]
