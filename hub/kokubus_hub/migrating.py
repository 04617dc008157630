"""The database's tables from one release to the next, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kokubus_hub import rights_history

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Bring the tables to this release's, in the transaction that is open; nothing if they are."""
    config = _config(connection)
    if _is_current(connection, config):
        return
    rights_history.remove(connection)  # SQLite alters no table that a trigger speaks of
    command.upgrade(config, "head")
    rights_history.install(connection)


def _is_current(connection: Connection, config: Config) -> bool:
    held = MigrationContext.configure(connection).get_current_revision()
    newest = ScriptDirectory.from_config(config).get_current_head()
    return held == newest and rights_history.installed(connection)


def _config(connection: Connection) -> Config:
    """Alembic's configuration for our migrations on this connection."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
