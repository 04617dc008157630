"""The tables: migrations make what the models say, and the database keeps its promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from tests.hub.small_hub import NOW, add_member, rows, small_hub

from kokubus_hub import database, models
from kokubus_hub.models import Base, table


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with small_hub(tmp_path) as made:
        yield made


def _booking(**changed: object) -> dict[str, object]:
    said: dict[str, object] = {"room_id": 1, "member_id": 1, "start": NOW, "end": NOW + 1}
    return said | {"created_at": NOW, "changed_at": NOW} | changed


# indexes of expressions cannot be read back from SQLite: they are compared on PostgreSQL
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_migrations_make_exactly_what_the_models_say(engine: Engine) -> None:
    with database.reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    database.migrate(engine)
    assert len(rows(engine, models.Site)) == 1


def test_a_commit_is_on_disk_and_readers_are_not_blocked(engine: Engine) -> None:
    with database.reading(engine) as connection:
        asked = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in _PRAGMAS]
    assert asked == list(_PRAGMAS.values())


_PRAGMAS = {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}


def test_rows_that_are_referred_to_stay(engine: Engine) -> None:
    with pytest.raises(IntegrityError), database.writing(engine) as connection:
        connection.execute(text("DELETE FROM site"))


def test_an_exception_rolls_back(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(engine)
    assert settings(engine) == []


def settings(engine: Engine) -> list[str]:
    return [row["key"] for row in rows(engine, models.Setting) if row["key"] == "a"]


def _write_and_fail(engine: Engine) -> None:
    with database.writing(engine) as connection:
        connection.execute(insert(table(models.Setting)).values(key="a", value="b"))
        _ = 1 / 0


def test_what_is_written_while_reading_is_thrown_away(engine: Engine) -> None:
    with database.reading(engine) as connection:
        connection.execute(insert(table(models.Setting)).values(key="a", value="b"))
    assert settings(engine) == []


def test_a_writer_takes_the_lock_before_its_first_statement(tmp_path: Path) -> None:
    with small_hub(tmp_path) as first:
        second = database.engine(database.sqlite_url(tmp_path / "hub.db"), busy_ms=1)
        with (
            database.writing(first),
            pytest.raises(OperationalError, match="locked"),
            database.writing(second),
        ):
            pass
        second.dispose()


def test_readers_see_one_state_while_others_write(engine: Engine) -> None:
    with database.reading(engine) as connection:
        before = connection.execute(select(table(models.Setting))).all()
        with database.writing(engine) as other:
            other.execute(insert(table(models.Setting)).values(key="a", value="b"))
        assert connection.execute(select(table(models.Setting))).all() == before
    assert settings(engine) == ["a"]


def test_the_orm_commits_at_the_end(engine: Engine) -> None:
    with database.session_writing(engine) as session:
        session.add(models.Setting(key="a", value="b"))
    with database.session_reading(engine) as session:
        assert session.get(models.Setting, "a") is not None


def test_a_booking_that_ends_before_it_starts_is_refused(engine: Engine) -> None:
    add_member(engine, "Anna")
    with pytest.raises(IntegrityError), database.writing(engine) as connection:
        connection.execute(insert(table(models.Booking)).values(_booking(end=NOW)))


def test_an_occurrence_of_a_source_is_booked_once(engine: Engine) -> None:
    add_member(engine, "Anna")
    named = {"source": "ics:dorf-hall", "external_uid": "u", "recurrence_id": ""}
    twice = [_booking(**named), _booking(**named)]
    with pytest.raises(IntegrityError), database.writing(engine) as connection:
        connection.execute(insert(table(models.Booking)), twice)


def test_json_comes_back_as_it_went_in(engine: Engine) -> None:
    opening = {"mon": ["08:00-18:00"], "tue": []}
    with database.session_writing(engine) as session:
        session.add(models.Site(slug="berg", name="Bärg", opening=opening))
    assert rows(engine, models.Site)[1]["opening"] == opening


def test_a_change_never_gets_a_number_again(engine: Engine) -> None:
    change = table(models.Change)
    with database.writing(engine) as connection:
        row = insert(change).values(at=NOW, what="x")
        first = connection.execute(row).inserted_primary_key[0]
        connection.execute(text("DELETE FROM change"))
        assert connection.execute(row).inserted_primary_key[0] > first


@pytest.mark.parametrize(
    "question",
    [
        select(models.Badge).where(models.Badge.lookup == "x"),
        select(models.Booking).where(models.Booking.member_id == 1, models.Booking.end > NOW),
        select(models.Booking).where(models.Booking.room_id == 1, models.Booking.end > NOW),
        select(models.Entitlement).where(models.Entitlement.member_id == 1),
        select(models.AccessEvent).where(models.AccessEvent.tap == "x"),
        select(models.AccessEvent).where(models.AccessEvent.id > 5),
        select(models.Enforcement).where(models.Enforcement.tap == "x"),
        select(models.Passage).where(models.Passage.tap == "x"),
        select(models.Reading).where(models.Reading.sensor_id == 1, models.Reading.at > NOW),
        select(models.Change).where(models.Change.id > 5),
    ],
)
def test_what_is_asked_often_has_an_index(engine: Engine, question: object) -> None:
    plans: list[str] = []

    def explain(_c: object, cursor: object, statement: str, given: object, *_: object) -> None:
        asked = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)  # type: ignore[attr-defined]
        plans.extend(row[3] for row in asked)

    event.listen(engine, "before_cursor_execute", explain)
    with database.reading(engine) as connection:
        connection.execute(question)  # type: ignore[call-overload]
    assert plans
    assert all("SEARCH" in plan for plan in plans), plans


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_spoken_by_psycopg(scheme: str) -> None:
    made = database.engine(f"{scheme}://somebody@localhost/kokubus")
    assert (made.dialect.name, made.dialect.driver) == ("postgresql", "psycopg")
    made.dispose()
