"""An empty SQLite database as the migrations make it, once for all tests of a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from kokubus_hub import database


@cache
def migrated() -> bytes:
    """The file's bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        engine = database.engine(database.sqlite_url(path))
        database.migrate(engine)
        engine.dispose()  # the last one to leave brings what is in the WAL into the file
        return path.read_bytes()
