"""Rows for every table the listener writes in bulk, and the two ways to write them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, delete, insert, select

from kokubus_hub import database, models
from kokubus_hub.bulk import insert_rows
from kokubus_hub.models import Base, table

NOW = 1_790_000_000_000
_TAP = {
    "device_id": 1, "door_id": None, "at": NOW, "received_at": NOW, "epoch": "e", "seq": 2**40,
    "boot": "b", "uptime_ms": 0, "clock": "synced", "side": "in", "badge_id": None,
    "member_id": None, "granted": None, "reason": None, "decided_at": None,
    "policy_epoch": None, "policy_n": None,
}  # fmt: skip
ROWS: dict[type[Base], list[dict[str, Any]]] = {
    models.AccessEvent: [
        _TAP | {"tap": "1", "detail": {"from": NOW}, "flags": ["x"], "state": None, "right": "b1"},
        _TAP | {"tap": "2", "detail": None, "flags": None, "state": {"a": None}, "right": None},
        _TAP | {"tap": "3", "detail": {}, "flags": [], "state": "ä\"'%s:x", "right": "%(tap)s"},
    ],
    models.Reading: [{"sensor_id": 1, "at": NOW, "value": value} for value in (0.1, -1e9, 5.0)],
    models.DeadLetter: [
        {
            "device": "d", "topic": "t/%s/?", "payload": bytes(range(256)), "error": "'",
            "received_at": 1,
        },
    ],
    models.DoorEvent: [
        {
            "door_id": 1, "device_id": 1, "kind": "contact_changed", "at": NOW, "received_at": NOW,
            "tap": None, "command": None, "detail": {"open": opened},
        }
        for opened in (True, False)
    ],
    models.Enforcement: [
        {
            "tap": "1", "door_id": 1, "at": NOW, "by": "hub", "granted": True, "reason": "booked",
            "policy_epoch": None, "policy_n": 7, "received_at": NOW,
        }
    ],
    models.Alarm: [
        {
            "kind": "k", "site_id": 1, "device_id": 1, "door_id": None, "member_id": None,
            "at": NOW, "detail": None, "cleared_at": None,
        }
    ],
}  # fmt: skip


def stored(engine: Engine, model: type[Base]) -> list[dict[str, Any]]:
    """All rows without their keys, which go on counting."""
    held = table(model)
    columns = [column for column in held.c if not column.primary_key]
    with database.reading(engine) as connection:
        found = connection.execute(select(*columns).order_by(held.c.id))
        return [dict(row) for row in found.mappings()]


def both_ways(
    engine: Engine, model: type[Base]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What stands in the table after our insert, and after SQLAlchemy's own."""
    made = []
    for ours in (True, False):
        with database.writing(engine) as connection:
            connection.execute(delete(table(model)))
            if ours:
                insert_rows(connection, table(model), ROWS[model])
            else:
                connection.execute(insert(table(model)), ROWS[model])
        made.append(stored(engine, model))
    return made[0], made[1]
