"""What a full spool throws away first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from kokubus.messages import BadgeTapped, Dropped, Enforced, PassageSeen, SensorsRead
from kokubus.ranges import Ranges

_FIRST = (SensorsRead.kind,)
_LAST = (BadgeTapped.kind, Enforced.kind, PassageSeen.kind)
_NEVER = (Dropped.kind,)


def spare(kind: str) -> bool:
    """Whether a fact of this kind is the first to go."""
    return kind in _FIRST


def thin(db: sqlite3.Connection, keys: tuple[int, int], count: int) -> dict[str, Ranges]:
    """Delete ``count`` facts with ``keys[0] <= id < keys[1]``; what went, by kind.

    Readings go first, then what is neither tap, enforcement nor passage, then these; oldest
    first. What says that something was lost stays.
    """
    kinds = [row[0] for row in db.execute("SELECT kind FROM tally WHERE n > 0")]
    others = tuple(kind for kind in kinds if kind not in (*_FIRST, *_LAST, *_NEVER))
    lost: dict[str, Ranges] = {}
    for tier in (_FIRST, others, _LAST):
        if count > 0:
            count -= _take(db, keys, tier, count, lost)
    return lost


def _take(
    db: sqlite3.Connection,
    keys: tuple[int, int],
    tier: Sequence[str],
    count: int,
    lost: dict[str, Ranges],
) -> int:
    rows = db.execute(
        "SELECT id, kind FROM fact WHERE id >= ? AND id < ? "
        "AND kind IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
        (*keys, json.dumps(tier), count),
    ).fetchall()
    db.executemany("DELETE FROM fact WHERE id = ?", [(key,) for key, _ in rows])
    for key, kind in rows:
        lost.setdefault(kind, Ranges()).add(key)
    return len(rows)
