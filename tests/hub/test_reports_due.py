"""Reports are released when a week or a stay is over, and hardly looked for in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.hub import busy_place as busy
from tests.hub.policy_world import World, world

from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.reports import release

MONDAY = date(2026, 9, 7)
BLOCK = table(models.ReportBlock)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_what_is_due_is_released_although_it_is_looked_for_only_then(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, town = busy.place(hub, "kokubus", desks=4), busy.town(hub, "ostelsheim")
    busy.stands(hub, where, town, MONDAY, MONDAY + timedelta(days=17))
    looked, really = [], release.release_next
    monkeypatch.setattr(release, "release_next", lambda *asked: looked.append(1) or really(*asked))
    releasing, steps = release.Releasing(hub.engine), range(0, 40 * 24, 6)
    for hours in steps:
        now = busy.at(MONDAY) + hours * 3_600_000
        if hours == 30 * 24:
            busy.stands(hub, where, town, MONDAY + timedelta(days=17), MONDAY + timedelta(days=20))
        for _ in range(4):
            releasing.look(now)
        assert not really(hub.engine, now), "it was due, and nobody looked"
    with database.reading(hub.engine) as connection:
        assert connection.execute(select(func.count()).select_from(BLOCK)).scalar_one() >= 4
    assert len(looked) < len(steps) / 4
