"""A PostgreSQL of our own, on a socket nobody else knows."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, text

from kokubus_hub import database

SERVER = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def _ctl(*words: str) -> None:
    """Run pg_ctl as a user PostgreSQL accepts: it refuses to work for root."""
    assert SERVER is not None, "PostgreSQL is missing: apt-get install postgresql"
    user = "postgres" if os.geteuid() == 0 else None
    environ = {"LC_ALL": "C", "PATH": f"{SERVER}:/usr/bin:/bin"}
    subprocess.run(
        [SERVER / "pg_ctl", *words], check=True, user=user, env=environ, stdout=subprocess.DEVNULL
    )


@contextmanager
def running() -> Iterator[Path]:
    """The directory of a running server's socket; short, since a socket's path must be."""
    folder = Path(tempfile.mkdtemp(prefix="kokubus-pg-"))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    data, log = str(folder / "data"), str(folder / "log")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    try:
        _ctl("-D", data, "-o", "-U kokubus -A trust -E UTF8 --no-sync", "initdb")
        _ctl("-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield folder
        finally:
            _ctl("-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


@contextmanager
def emptied(server: Path) -> Iterator[Engine]:
    """An engine on an empty database."""
    with another(server) as made:
        with database.writing(made) as connection:
            connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        yield made


@contextmanager
def copied(server: Path, fill: Callable[[Engine], object]) -> Iterator[Engine]:
    """An engine on a copy of what ``fill`` makes of an empty database; it is asked once a server.

    Tables made again for each test would take most of its time.
    """
    with psycopg.connect(dbname="postgres", user="kokubus", host=str(server)) as administrator:
        administrator.autocommit = True
        known = administrator.execute("SELECT FROM pg_database WHERE datname = 'filled'")
        if known.fetchone() is None:
            _fill(administrator, server, fill)
        # the way of PostgreSQL 15 and later to do without a log of it; before, there was no other
        how = b"STRATEGY file_copy" if administrator.info.server_version >= 150_000 else b""
        administrator.execute(b"CREATE DATABASE copy TEMPLATE filled " + how)
        engine = database.engine(url_of(server, "copy"))
        try:
            yield engine
        finally:
            engine.dispose()
            administrator.execute("DROP DATABASE copy WITH (FORCE)")


def _fill(administrator: Any, server: Path, fill: Callable[[Engine], object]) -> None:
    administrator.execute("CREATE DATABASE filling")
    engine = database.engine(url_of(server, "filling"))
    try:
        fill(engine)
    finally:
        engine.dispose()
    administrator.execute("ALTER DATABASE filling RENAME TO filled")


def url_of(server: Path, name: str = "postgres") -> str:
    """A database's address in settings."""
    return f"postgresql://kokubus@/{name}?host={server}"


def dump(url: str, to: Path) -> None:
    """A backup, as docs/operate/care.md says it."""
    _run("pg_dump", f"--dbname={url}", "--format=custom", f"--file={to}")


def restore(url: str, dumped: Path) -> None:
    """The database as it was when it was dumped."""
    _run("pg_restore", f"--dbname={url}", "--clean", "--if-exists", str(dumped))


def _run(name: str, *words: str) -> None:
    assert SERVER is not None, "PostgreSQL is missing: apt-get install postgresql"
    subprocess.run([SERVER / name, *words], check=True)


@contextmanager
def another(server: Path) -> Iterator[Engine]:
    """An engine on the database as it is."""
    made = database.engine(url_of(server))
    try:
        yield made
    finally:
        made.dispose()
