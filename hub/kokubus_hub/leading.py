"""One worker leads. A second one waits, and takes over when the first is gone.

PostgreSQL holds the lead as an advisory lock of a connection; with SQLite all processes share a
machine, and a locked file does. Both end with the process, however it ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text

_LOCK = 0x6B6F6B77
"""Another than the lock of migrations, which are made while a worker leads."""
_TRY = text("SELECT pg_try_advisory_lock(:lock)").bindparams(lock=_LOCK)


class Lead(Protocol):
    """What `candidacy` yields."""

    def held(self) -> bool:
        """Whether we lead, now; tries to if nobody does. Raises once the lead was lost."""


def candidacy(engine: Engine, lock: Path) -> AbstractContextManager[Lead]:
    """Stand for the lead of this database; ``lock`` is the file that SQLite's workers share."""
    return _in_database(engine) if engine.dialect.name == "postgresql" else _in_file(lock)


@contextmanager
def _in_file(path: Path) -> Iterator[Lead]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield _FileLead(file.fileno())


@contextmanager
def _in_database(engine: Engine) -> Iterator[Lead]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield _DatabaseLead(connection)
        connection.invalidate()  # back in the pool it would go on to hold the lock


class _FileLead:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def held(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class _DatabaseLead:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._leads = False

    def held(self) -> bool:
        if self._leads:
            self._connection.execute(text("SELECT 1"))
        else:
            self._leads = bool(self._connection.execute(_TRY).scalar_one())
        return self._leads
