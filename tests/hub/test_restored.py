"""After a restore, doors take what the hub issues, although they hold something newer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from tests.hub.small_hub import NOW, rows, small_hub

from kokubus.messages import PolicyNumber
from kokubus_hub import database, issuing, models
from kokubus_hub.models import table
from kokubus_hub.restored import begin_epoch

TEXT = '{"doors":{}}'
MINUTE_MS = 60_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with small_hub(tmp_path) as engine:
        with database.writing(engine) as connection:
            device = {"slug": "dorf-1", "site_id": 1}
            connection.execute(insert(table(models.Device)).values(device))
            assert issuing.issue(connection, 1, TEXT, 0, NOW)
        yield engine


def restored(engine: Engine, now: int) -> int:
    with database.writing(engine) as connection:
        return begin_epoch(connection, now)


def issued(engine: Engine) -> PolicyNumber | None:
    with database.writing(engine) as connection:
        made = issuing.issue(connection, 1, TEXT, 1, NOW)
    return made.number if made else None


def test_the_same_rights_are_issued_again_above_all_that_was(engine: Engine) -> None:
    assert issued(engine) is None
    epoch = restored(engine, NOW)
    assert issued(engine) == PolicyNumber(epoch, 1)
    assert issued(engine) is None


def test_every_site_is_told(engine: Engine) -> None:
    restored(engine, NOW)
    assert [row["site_id"] for row in rows(engine, models.Change)] == [None]


def test_a_door_may_know_of_a_higher_epoch(engine: Engine) -> None:
    far = 2 * NOW // MINUTE_MS
    with database.writing(engine) as connection:
        held = table(models.Device).update().values(applied_epoch=far, applied_n=3)
        connection.execute(held)
    assert restored(engine, NOW) == far + 1


def test_no_epoch_comes_twice_from_one_backup(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    with small_hub(tmp_path / "again") as other:
        first, second = restored(engine, NOW), restored(other, NOW + MINUTE_MS)
    assert first < second
    assert restored(engine, NOW) == first + 1


@pytest.mark.parametrize("applied", [(1, 5, "a" * 64), (1, 1, "b" * 64)])
def test_a_door_that_knows_better_is_an_alarm_until_somebody_says_so(
    engine: Engine, applied: tuple[int, int, str]
) -> None:
    """A later number, or other rights by the same one."""
    epoch, n, sha256 = applied
    held = {"applied_epoch": epoch, "applied_n": n, "applied_sha256": sha256}
    with database.writing(engine) as connection:
        connection.execute(table(models.Device).update().values(held))
    for _ in range(2):
        issued(engine)
        assert [(one["kind"], one["site_id"]) for one in rows(engine, models.Alarm)] == [
            ("policy_ahead", 1)
        ]
    restored(engine, NOW)
    [alarm] = rows(engine, models.Alarm)
    assert alarm["cleared_at"] == NOW
    assert issued(engine)
    assert len(rows(engine, models.Alarm)) == 1
