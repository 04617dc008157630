"""What rights depend on is kept as it was, whoever changes it and however."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, LargeBinary, String, delete, event, insert, text, update
from tests.hub.intake_world import FRONT, HOUR_MS, NOW, UID, World, world
from tests.hub.small_hub import small_hub

from kokubus.messages import Side
from kokubus_hub import changes, database, models, rights_history
from kokubus_hub.models import table

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def kept(hub: World, entity: str) -> list[dict[str, Any]]:
    return [row for row in hub.rows(models.History) if row["entity"] == entity]


def test_a_row_is_kept_as_it_was_before_each_change(hub: World) -> None:
    badge = hub.badge()
    hub.set_id(models.Badge, badge, status="lost")
    first, second = kept(hub, "badge")
    assert (first["data"]["status"], second["data"]["status"]) == ("active", "lost")
    assert second["change_id"] == first["change_id"] + 1
    assert first["row_id"] == second["row_id"] == badge


def test_what_is_deleted_is_kept_as_gone(hub: World) -> None:
    closure = hub.add(models.Closure, site_id=1, start=NOW, end=NOW + 1)
    with database.writing(hub.engine) as connection:
        connection.execute(delete(table(models.Closure)))
        changes.record(connection, NOW, "test")
    assert [(row["row_id"], row["data"] is None) for row in kept(hub, "closure")] == [
        (closure, False),
        (closure, True),
    ]


def test_a_change_recorded_first_and_one_recorded_last_hold_their_rows_alike(hub: World) -> None:
    held = table(models.Closure)
    row = {"site_id": 1, "start": NOW, "end": NOW + 1, "reason": ""}
    with database.writing(hub.engine) as connection:
        first = changes.record(connection, NOW, "before")
        connection.execute(insert(held).values(row))
    with database.writing(hub.engine) as connection:
        connection.execute(insert(held).values(row))
        last = changes.record(connection, NOW, "after")
    assert [one["change_id"] for one in kept(hub, "closure")] == [first, last]


def test_what_rolls_back_was_never_known(hub: World) -> None:
    with pytest.raises(ZeroDivisionError):
        _close_and_fail(hub)
    assert kept(hub, "closure") == []
    hub.add(models.Closure, site_id=1, start=NOW, end=NOW + 1)
    assert [row["change_id"] for row in kept(hub, "closure")] != [None]


def _close_and_fail(hub: World) -> None:
    with database.writing(hub.engine) as connection:
        changes.record(connection, NOW, "test")
        row = {"site_id": 1, "start": NOW, "end": NOW + 1, "reason": ""}
        connection.execute(insert(table(models.Closure)).values(row))
        _ = 1 / 0


def test_what_no_decision_looks_at_makes_no_history(hub: World) -> None:
    before = len(hub.rows(models.History))
    hub.set(models.Door, FRONT, contact="open", contact_at=NOW, forced_at=NOW)
    hub.set(models.Device, "dorf-1", online=True, status_at=NOW)
    hub.set(models.Door, FRONT, min_assurance=0)  # as it was
    assert len(hub.rows(models.History)) == before


def test_nobody_is_named_in_it() -> None:
    """Each text that is kept, so that a new column is looked at before it is."""
    texts = {
        name: sorted(column.name for column in of if isinstance(column.type, String | JSON))
        for name, of in rights_history.tracked().items()
    }
    assert {name: columns for name, columns in texts.items() if columns} == {
        "site": ["daily_reset", "kind", "opening", "slug", "timezone"],
        "room": ["slug"],
        "device": ["slug"],
        "door": ["anti_passback", "slug"],
        "door_mode": ["kind"],
        "member": ["kind", "slug", "status"],
        "badge": ["lookup", "status"],
        "entitlement": ["schedule"],
        "booking": ["date", "kind", "status"],
    }
    kept = [column for of in rights_history.tracked().values() for column in of]
    assert not any(isinstance(column.type, LargeBinary) for column in kept)


def test_all_that_a_decision_reads_has_a_history(hub: World) -> None:
    hub.entitle(hub.member())
    read: set[str] = set()

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        words = statement.replace('"', " ").replace(",", " ").replace(".", " ").split()
        if words[0] == "SELECT":
            read.update(words)

    event.listen(hub.engine, "before_cursor_execute", note)
    assert hub.reason(UID, FRONT, side=Side.IN) == "entitled"
    event.remove(hub.engine, "before_cursor_execute", note)
    tables = read & set(models.Base.metadata.tables)
    about_the_tap = {"presence", "access_event", "spool", "change", "boot"}
    counted = (mapper.class_ for mapper in models.Base.registry.mappers)
    about_counting = {"sensor"} | {
        table(one).name for one in counted if one.__module__.endswith(".occupancy")
    }
    assert {"badge", "booking", "door", "site"} <= tables
    assert tables - about_the_tap - about_counting <= set(rights_history.tracked())


def test_old_rows_are_forgotten_and_the_last_of_each_is_kept(hub: World) -> None:
    badge = hub.badge()
    hub.set_id(models.Badge, badge, status="lost")
    closure = hub.add(models.Closure, site_id=1, start=NOW, end=NOW + 1)
    with database.writing(hub.engine) as connection:
        connection.execute(delete(table(models.Closure)).where(models.Closure.id == closure))
        changes.record(connection, NOW, "test")
    hub.now = NOW + DAY_MS
    hub.set_id(models.Badge, badge, status="active")
    with database.writing(hub.engine) as connection:
        assert rights_history.forget(connection, NOW) == 0
        rights_history.forget(connection, NOW + 1)
        assert rights_history.forget(connection, NOW + 1) == 0
    assert [row["data"]["status"] for row in kept(hub, "badge")] == ["lost", "active"]
    assert kept(hub, "closure") == []
    with database.writing(hub.engine) as connection:
        rights_history.forget(connection, NOW + 2 * DAY_MS)
    assert [row["data"]["status"] for row in kept(hub, "badge")] == ["active"]


def test_a_database_that_had_no_history_gets_one(tmp_path: Path) -> None:
    with small_hub(tmp_path) as engine:
        with database.writing(engine) as connection:
            rights_history.remove(connection)
            connection.execute(text("DELETE FROM history"))
            connection.execute(text("DELETE FROM setting"))
            changes.record(connection, NOW, "unseen")
            connection.execute(update(table(models.Site)).values(lead_ms=1))
        database.migrate(engine)
        with database.reading(engine) as connection:
            assert rights_history.since(connection) == 1
        assert _leads(engine) == [1]
        with database.writing(engine) as connection:
            connection.execute(update(table(models.Site)).values(lead_ms=2))
            changes.record(connection, NOW, "seen")
        assert _leads(engine) == [1, 2]
        database.migrate(engine)
        assert _leads(engine) == [1, 2]


def _leads(engine: Engine) -> list[int]:
    with database.reading(engine) as connection:
        rows = connection.execute(table(models.History).select().order_by(models.History.id))
        return [row.data["lead_ms"] for row in rows if row.entity == "site"]
