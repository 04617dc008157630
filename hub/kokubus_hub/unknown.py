"""Badges that were tapped and are nobody's, kept so that somebody can say whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.credential import PIN
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.answer import Tapped
from kokubus_hub.batch import Batch
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table

KEPT_MS = 14 * 86_400_000
"""For so long after its last tap a badge can be claimed; then its number is forgotten."""
MOST = 500
"""The newest so many are kept, whoever plays with a box of cards at a door."""
_UNKNOWN = table(models.UnknownBadge)
_TYPED = f"{PIN}|".encode()


def keep(batch: Batch, keyring: Keyring, taps: Sequence[Tapped]) -> None:
    """Remember the badges among these taps that nobody holds; a wrong PIN is none."""
    rows = [
        {
            "lookup": one.lookup,
            "sealed_uid": keyring.seal(one.text, "badge"),
            "door_id": door.id,
            "first_at": batch.past(one.tap.at),
            "last_at": batch.past(one.tap.at),
            "taps": 1,
        }
        for one in taps
        if batch.places.held[one.lookup].badge_id is None
        and not one.text.startswith(_TYPED)
        and (door := batch.places.doors.get(one.tap.door)) is not None
    ]
    rows.sort(key=itemgetter("lookup"))  # so that two listeners never wait for each other
    if rows:
        batch.connection.execute(_KEEP[batch.connection.dialect.name], rows)


def forget(connection: Connection, now: Instant) -> None:
    """Forget the badges that nobody claimed for too long, and the oldest of too many."""
    newest = select(_UNKNOWN.c.id).order_by(_UNKNOWN.c.last_at.desc()).limit(MOST)
    old = (_UNKNOWN.c.last_at < now - KEPT_MS) | _UNKNOWN.c.id.not_in(newest)
    connection.execute(delete(_UNKNOWN).where(old))


def _upsert(dialect_insert: Any) -> Any:
    names = ("lookup", "sealed_uid", "door_id", "first_at", "last_at", "taps")
    made = dialect_insert(_UNKNOWN).values({name: bindparam(name) for name in names})
    return made.on_conflict_do_update(
        index_elements=["lookup"],
        set_={
            "door_id": made.excluded.door_id,
            "last_at": made.excluded.last_at,
            "taps": _UNKNOWN.c.taps + 1,
        },
    )


_KEEP = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}
