"""Rows inserted by our short way are the rows SQLAlchemy would have inserted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.exc import IntegrityError
from tests.hub.bulk_rows import NOW, ROWS, both_ways, stored
from tests.hub.intake_world import World, world

from kokubus_hub import database, models
from kokubus_hub.bulk import _compiled, among, insert_rows, listed, run
from kokubus_hub.models import Base, table


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.mark.parametrize("model", ROWS)
def test_the_rows_are_the_same(hub: World, model: type[Base]) -> None:
    ours, theirs = both_ways(hub.engine, model)
    assert ours == theirs
    assert len(ours) == len(ROWS[model])


def test_what_a_row_leaves_out_has_its_default(hub: World) -> None:
    ours, _ = both_ways(hub.engine, models.AccessEvent)
    assert {(row["assurance"], row["late"]) for row in ours} == {(0, False)}


def test_no_json_is_null_and_not_the_word(hub: World) -> None:
    both_ways(hub.engine, models.AccessEvent)
    with database.reading(hub.engine) as connection:
        found = connection.execute(text("SELECT detail, flags FROM access_event ORDER BY id"))
        assert [tuple(row) for row in found] == [
            (f'{{"from":{NOW}}}', '["x"]'), (None, None), ("{}", "[]"),
        ]  # fmt: skip


@pytest.mark.parametrize("slugs", [[], ["a"], ["a", "c", "x"], ["'", '"', "c"]])
def test_what_is_among_a_list_is_found(hub: World, slugs: list[str]) -> None:
    member = table(models.Member)
    query = among(select(member.c.slug, member.c.id), member.c.slug, "slugs")
    with database.writing(hub.engine) as connection:
        rows = [{"slug": slug, "name": slug} for slug in ("a", "b", "c", "'")]
        insert_rows(connection, member, rows)
        found = run(connection, query[connection.dialect.name], {"slugs": listed(slugs)})
        assert {row.slug for row in found} == {"a", "b", "c", "'"} & set(slugs)


def test_what_a_statement_fixes_and_what_is_given_are_both_bound(hub: World) -> None:
    member = table(models.Member)
    of = update(member).where(member.c.slug == bindparam("of"), member.c.name == "n")
    with database.writing(hub.engine) as connection:
        insert_rows(connection, member, [{"slug": slug, "name": "n"} for slug in "abc"])
        told = of.values(name=bindparam("told"))
        done = run(connection, told, [{"of": slug, "told": slug * 2} for slug in "abx"])
        assert done.rowcount == 2
        names = connection.execute(select(member.c.name).order_by(member.c.slug)).scalars()
        assert [name for name in names if len(name) < 3] == ["aa", "bb", "n"]


def test_no_rows_are_no_statement(hub: World) -> None:
    with database.writing(hub.engine) as connection:
        insert_rows(connection, table(models.Reading), [])
    assert stored(hub.engine, models.Reading) == []


def test_the_statement_is_made_once_for_rows_of_one_shape(hub: World) -> None:
    with database.writing(hub.engine) as connection:
        for _ in range(3):
            insert_rows(connection, table(models.Reading), ROWS[models.Reading])
            before = _compiled.cache_info()
        insert_rows(connection, table(models.Reading), ROWS[models.Reading])
        assert _compiled.cache_info().misses == before.misses
    assert len(stored(hub.engine, models.Reading)) == 12


def test_what_the_table_refuses_is_refused(hub: World) -> None:
    rows = ROWS[models.Enforcement]
    with (
        database.reading(hub.engine) as connection,
        pytest.raises(IntegrityError, match=r"enforcement\.tap"),
    ):
        insert_rows(connection, table(models.Enforcement), rows + rows)
