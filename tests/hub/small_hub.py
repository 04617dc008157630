"""A hub with one site and one room, in a real SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select
from tests.hub.migrated import migrated

from kokubus_hub import database, models
from kokubus_hub.models import Base, table

NOW = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC, a Monday."""


@contextmanager
def small_hub(folder: Path) -> Iterator[Engine]:
    path = folder / "hub.db"
    path.write_bytes(migrated())
    engine = database.engine(database.sqlite_url(path))
    try:
        with database.writing(engine) as connection:
            site = {"slug": "dorf", "name": "Dorf"}
            connection.execute(insert(table(models.Site)).values(site))
            room = {"site_id": 1, "slug": "dorf-hall", "name": "Saal", "capacity": 8}
            connection.execute(insert(table(models.Room)).values(room))
        yield engine
    finally:
        engine.dispose()


def rows(engine: Engine, model: type[Base]) -> list[dict[str, Any]]:
    with database.reading(engine) as connection:
        held = table(model)
        key = next(iter(held.primary_key.columns))
        return [dict(row) for row in connection.execute(select(held).order_by(key)).mappings()]


def add_member(engine: Engine, name: str, slug: str = "m-aaaaaaaa") -> int:
    """A member whose e-mail is ``<name>@example.org``."""
    with database.writing(engine) as connection:
        values = {"slug": slug, "name": name, "email": f"{name.lower()}@example.org"}
        added = connection.execute(insert(table(models.Member)).values(values))
        return int(added.inserted_primary_key[0])
