"""Imports never keep a door waiting, one runs at a time, and one that was killed leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError
from tests.hub.importing import Importer
from tests.hub.small_hub import NOW, rows, small_hub

from kokubus_hub import database, models
from kokubus_hub.imports import staging
from kokubus_hub.imports.staging import ImportBusyError
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with small_hub(tmp_path) as made:
        yield made


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def importing(engine: Engine, keyring: Keyring) -> Importer:
    return Importer(engine, keyring)


def test_a_large_file_arrives_in_lots_and_takes_effect_together(
    importing: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "LOT", 3)
    lines = [f"Person {n};p{n}@example.org" for n in range(10)]
    importing("\n".join(["Name;E-Mail", *lines]))
    members = rows(importing.engine, models.Member)
    assert [member["email"] for member in members] == [f"p{n}@example.org" for n in range(10)]
    assert {member["status"] for member in members} == {"active"}


def _killed(importing: Importer, phase: str) -> None:
    """Leave the database as an import does that was killed."""
    note = staging._noted(phase, staging.Plan("members imported", None, None, (), ()), NOW)
    with database.writing(importing.engine) as connection:
        connection.execute(insert(table(models.Setting)).values(key="import", value=note))
        staged = {"slug": "m-staged22", "name": "S", "email": "joerg@example.org"}
        connection.execute(
            insert(table(models.Member)).values(staged | {"status": "staged:suspended"})
        )


def test_one_import_at_a_time(importing: Importer) -> None:
    _killed(importing, "staging")
    before = importing.content()
    with pytest.raises(ImportBusyError, match="try again"):
        importing()
    assert importing.content() == before


@pytest.mark.parametrize("refuses", [False, True])
def test_an_import_that_takes_long_is_not_taken_over(
    importing: Importer, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """Each lot takes most of the time after which an import counts as killed."""
    monkeypatch.setattr(staging, "LOT", 1)
    looked = []

    def another(_seconds: float) -> None:
        importing.now += staging.STALE_MS - 1
        with pytest.raises(ImportBusyError):
            staging.recover(importing.engine, importing.now)
        looked.append(importing.now)

    monkeypatch.setattr(staging.time, "sleep", another)
    if refuses:
        slugs = iter([*(f"m-{n}" for n in range(4)), None])
        monkeypatch.setattr("kokubus_hub.imports.members.new_slug", slugs.__next__)
    lines = "\n".join(["Name;E-Mail", *(f"P{n};p{n}@example.org" for n in range(5))])
    with suppress(IntegrityError):
        importing(lines)
    assert len(looked) == (8 if refuses else 10), "put in, then switched or taken out"
    assert len(rows(importing.engine, models.Member)) == (0 if refuses else 5)


def test_what_is_in_force_already_stays_as_it_is(importing: Importer) -> None:
    importing()
    with database.writing(importing.engine) as connection:
        assert staging._in_force(connection, table(models.Member), [1, 2]) == []
    assert {row["status"] for row in rows(importing.engine, models.Member)} == {"active"}


def test_an_import_that_was_killed_is_undone_by_the_next(importing: Importer) -> None:
    _killed(importing, "staging")
    importing.now += staging.STALE_MS
    assert importing().added == 2
    assert "m-staged22" not in {row["slug"] for row in rows(importing.engine, models.Member)}
    assert "import" not in {row["key"] for row in rows(importing.engine, models.Setting)}


def test_an_import_that_was_switching_is_finished_by_the_next(importing: Importer) -> None:
    _killed(importing, "switching")
    importing.now += staging.STALE_MS
    result = importing()
    assert (result.added, result.changed) == (1, 1)
    first = rows(importing.engine, models.Member)[0]
    assert (first["slug"], first["status"]) == ("m-staged22", "suspended")
    assert [row["what"] for row in rows(importing.engine, models.Change)] == [
        "members imported",
        "members and badges imported",
    ]


def test_a_database_that_refuses_a_row_keeps_none(
    importing: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "LOT", 1)
    before = importing.content()
    monkeypatch.setattr("kokubus_hub.imports.members.new_slug", iter(["m-a", None]).__next__)
    with pytest.raises(Exception, match="NOT NULL"):
        importing()
    assert importing.content() == before
