"""The same hub on either database, for tests that have to hold on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from tests.hub.policy_world import World, furnished
from tests.integration.pg_server import emptied

from kokubus_hub import database
from kokubus_hub.keys import Keyring

DATABASES = ("sqlite", "postgresql")


@contextmanager
def hub_on(name: str, folder: Path, server: Callable[[], Path]) -> Iterator[World]:
    """The building of `policy_world` in an empty database; ``server`` is asked if it is needed."""
    with _engine(name, folder, server) as engine:
        database.migrate(engine)
        yield furnished(engine, Keyring.create(folder / "keys"))


@contextmanager
def _engine(name: str, folder: Path, server: Callable[[], Path]) -> Iterator[Engine]:
    if name == "postgresql":
        with emptied(server()) as engine:
            yield engine
        return
    engine = database.engine(database.sqlite_url(folder / "hub.db"), busy_ms=60_000)
    try:
        yield engine
    finally:
        engine.dispose()
