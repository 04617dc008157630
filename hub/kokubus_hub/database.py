"""The hub's database: SQLite by default, PostgreSQL by URL.

Every transaction that writes is opened with `writing`: on SQLite it takes the write lock at
once, since a transaction that first reads and then writes fails immediately when another
process has written in between, whatever the busy timeout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

from kokubus_hub import changes

BUSY_MS = 5_000
_MIGRATING = 0x6B6F6B75
"""Names the lock that one migration at a time holds."""


def engine(url: str, *, busy_ms: int = BUSY_MS) -> Engine:
    """An engine for ``sqlite:///...`` or ``postgresql+psycopg://...``.

    ``busy_ms`` is how long a SQLite transaction waits for another process's write lock; the
    listener's is below a door's deadline.
    """
    made = create_engine(
        _with_driver(url),
        json_serializer=_dump,
        json_deserializer=from_json,
        hide_parameters=True,  # an error's text ends in logs, and parameters hold names
    )
    if made.dialect.name == "sqlite":
        _prepare_sqlite(made, busy_ms)
    return made


@contextmanager
def writing(engine: Engine, operator: int | None = None) -> Iterator[Connection]:
    """A transaction that may write: committed at the end, rolled back on an exception.

    ``operator`` is who asked for it, if somebody did: what it changes is recorded as theirs.
    """
    with engine.connect() as connection:
        connection.execution_options(kokubus_writes=True)
        with connection.begin():
            changes.begin(connection, operator)
            yield connection
            changes.settle(connection)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database; whatever is written in it is thrown away."""
    with engine.connect() as connection:
        yield connection


@contextmanager
def session_writing(engine: Engine) -> Iterator[Session]:
    """`writing` for the ORM: flushed and committed at the end, objects stay usable."""
    with writing(engine) as connection, Session(connection, expire_on_commit=False) as session:
        yield session
        session.flush()


@contextmanager
def session_reading(engine: Engine) -> Iterator[Session]:
    """`reading` for the ORM."""
    with reading(engine) as connection, Session(connection, autoflush=False) as session:
        yield session


def migrate(engine: Engine) -> None:
    """Bring the database's tables to this release's; does nothing if they are."""
    from kokubus_hub import migrating  # noqa: PLC0415 - Alembic stays out of the hub's own processes

    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # SQLite's write lock is held already
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        migrating.upgrade(connection)


def _with_driver(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    return f"postgresql+psycopg{mark}{rest}" if scheme in {"postgres", "postgresql"} else url


def _prepare_sqlite(made: Engine, busy_ms: int) -> None:
    @event.listens_for(made, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in _pragmas(busy_ms):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("kokubus_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _pragmas(busy_ms: int) -> tuple[str, ...]:
    return (
        f"busy_timeout = {busy_ms}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    )


def _dump(value: object) -> str:
    return to_json(value).decode()


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return make_url("sqlite://").set(database=str(path)).render_as_string()
