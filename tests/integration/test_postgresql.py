"""The hub's tables, imports and the order of changes on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert
from tests.hub.small_hub import NOW, rows
from tests.integration.pg_server import emptied, running

from kokubus_hub import changes, database, models
from kokubus_hub.imports.members import import_members
from kokubus_hub.keys import Keyring
from kokubus_hub.models import Base, table


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with running() as folder:
        yield folder


@pytest.fixture
def engine(server: Path) -> Iterator[Engine]:
    with emptied(server) as made:
        yield made


def test_migrations_make_exactly_what_the_models_say(engine: Engine) -> None:
    database.migrate(engine)
    database.migrate(engine)
    with database.reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_three_processes_may_migrate_at_once(engine: Engine) -> None:
    threads = [Thread(target=database.migrate, args=(engine,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(engine, models.Site) == []


def test_members_and_badges_are_imported(engine: Engine, tmp_path: Path) -> None:
    database.migrate(engine)
    keyring = Keyring.create(tmp_path / "keys")
    members = ("members.csv", "Name;E-Mail\nJörg;joerg@example.org\n".encode())
    badges = ("badges.csv", b"UID;E-Mail\n04A3C6CAE26180;joerg@example.org\n")
    for added in (2, 0):
        assert import_members(engine, keyring, members, badges, lambda: NOW).added == added
    (badge,) = rows(engine, models.Badge)
    assert badge["status"] == "active"
    assert keyring.open(badge["sealed_uid"], "badge") == b"mfrc522|04A3C6CAE26180"


def test_whoever_follows_changes_misses_none(engine: Engine) -> None:
    """A later number never becomes visible before an earlier one."""
    database.migrate(engine)
    with database.writing(engine) as first:
        number = changes.record(first, NOW, "first")
        second = Thread(target=_record, args=(engine,))
        second.start()
        second.join(timeout=0.5)
        with database.reading(engine) as follower:
            assert changes.latest(follower) == 0
    second.join()
    seen = [row["id"] for row in rows(engine, models.Change)]
    assert seen == sorted(seen)
    assert seen[0] == number


def _record(engine: Engine) -> None:
    with database.writing(engine) as connection:
        changes.record(connection, NOW, "second")


def test_json_comes_back_as_it_went_in(engine: Engine) -> None:
    database.migrate(engine)
    opening = {"mon": ["08:00-18:00"], "tue": []}
    with database.writing(engine) as connection:
        site = {"slug": "berg", "name": "Bärg", "opening": opening}
        connection.execute(insert(table(models.Site)).values(site))
    assert rows(engine, models.Site)[0]["opening"] == opening
