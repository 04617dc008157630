"""`work` drops estimates that are older than the setting says, and none where it says 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from tests.hub.policy_world import NOW, Broker, World, world

from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.settings import Settings
from kokubus_hub.work import Work

DAY_MS = 86_400_000
ESTIMATE = table(models.Estimate)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def ages_after_a_turn(hub: World, folder: Path, days: int) -> list[int]:
    """How many days old the estimates are that are left, of ones of 1, 399 and 401 days."""
    room = hub.add(models.Room, site_id=1, slug="dorf-attic", name="Dach", capacity=4)
    one = {"room_id": room, "median": 0, "mean": 0.0, "variance": 0.0, "low": 0, "high": 0}
    one |= {"presence": 0.0, "capacity": 4, "drift": False, "weights": {}}
    rows = [{**one, "at": NOW - age * DAY_MS} for age in (1, 399, 401)]
    with database.writing(hub.engine) as connection:
        connection.execute(insert(ESTIMATE), rows)
    settings = Settings(data_dir=folder, estimate_days=days)
    Work(hub.engine, hub.keyring, settings, Broker(hub.keyring)).turn(NOW, moved=False)
    with database.reading(hub.engine) as connection:
        of_room = select(ESTIMATE.c.at).where(ESTIMATE.c.room_id == room)
        return sorted((NOW - at) // DAY_MS for at in connection.scalars(of_room))


def test_the_worker_drops_what_is_older(hub: World, tmp_path: Path) -> None:
    assert ages_after_a_turn(hub, tmp_path, 400) == [1, 399]


def test_nought_keeps_them_for_ever(hub: World, tmp_path: Path) -> None:
    assert ages_after_a_turn(hub, tmp_path, 0) == [1, 399, 401]
