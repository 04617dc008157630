"""Attacks on what reports tell: few among many, the unknown, time cut twice, hours and edges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.hub import busy_place as busy
from tests.hub.policy_world import World, world

from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.reports import service
from kokubus_hub.reports.privacy import Part, partition
from kokubus_hub.reports.service import Report, Scope
from kokubus_hub.settings import Settings

MONDAY = date(2026, 9, 7)
BLOCK, PLACEMENT = table(models.ReportBlock), table(models.Placement)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def blocks(hub: World) -> list[Any]:
    with database.reading(hub.engine) as connection:
        return list(connection.execute(select(BLOCK).order_by(BLOCK.c.start, BLOCK.c.id)))


def report(hub: World, scope: Scope, name: object) -> Report:
    with database.reading(hub.engine) as connection:
        return service.report(connection, Settings(), scope, str(name))


def after(weeks: int) -> date:
    return MONDAY + timedelta(days=7 * weeks)


def test_who_booked_and_stayed_away_hides_nobody(hub: World) -> None:
    """Four bookings of people who never came would make one visitor's hours five people's."""
    where, known = busy.place(hub, "kokubus"), busy.members(hub, 5)
    stop = busy.stands(hub, where, busy.town(hub, "ostelsheim"), MONDAY, after(1))
    for day in busy.weekdays(MONDAY, 1):
        where.day(day, known[:1], missing=known[1:])
    where.write()
    busy.release_all(hub)
    assert [row.figures for row in blocks(hub)] == [None, None]
    totals = report(hub, Scope.PLACEMENTS, stop).totals
    assert (totals["person_hours"].value, totals["visits"].value) == (None, None)


def test_bookings_of_nobody_known_are_told_as_little_as_those_of_few() -> None:
    """They may all be of one person, whom the calendar knows and the hub does not."""
    parts = {
        "bookings_used": Part(20, frozenset(range(8))),
        "no_shows": Part(9, frozenset()),
    }
    assert partition(parts) == {"bookings_used": None, "no_shows": None}
    parts["no_shows"] = Part(0, frozenset())
    assert partition(parts) == {"bookings_used": 20, "no_shows": 0}


def test_a_placement_put_right_cuts_no_week_twice(hub: World) -> None:
    """The week less its Monday, beside the week: the difference is who came that Monday."""
    where, known = busy.place(hub, "kokubus", desks=8), busy.members(hub, 8)
    stop = busy.stands(hub, where, busy.town(hub, "ostelsheim"), MONDAY, after(3))
    for number, day in enumerate(busy.weekdays(MONDAY, 3)):
        where.day(day, known[number % 3 : number % 3 + (2 if number % 5 == 0 else 6)])
    where.write()
    busy.release_all(hub)
    before = [(row.start, row.end) for row in blocks(hub) if row.level != "stay"]
    assert before == [(busy.at(after(week)), busy.at(after(week + 1))) for week in range(3)]
    later = busy.at(MONDAY + timedelta(days=1))
    moved = PLACEMENT.c.id == stop
    with database.writing(hub.engine) as connection:
        connection.execute(update(PLACEMENT).where(moved).values(start=later))
        split = busy.at(after(1) + timedelta(days=2))
        connection.execute(update(PLACEMENT).where(moved).values(end=split))
    town = busy.town(hub, "herrenalb")
    busy.stands(hub, where, town, after(1) + timedelta(days=2), after(4))
    busy.release_all(hub)
    told = [(row.start, row.end) for row in blocks(hub) if row.level != "stay"]
    assert told == [*before, (busy.at(after(3)), busy.at(after(4)))]


def test_who_stays_alone_every_monday_evening_is_in_no_heat_map(hub: World) -> None:
    where, known = busy.place(hub, "kokubus"), busy.members(hub, 6)
    stop = busy.stands(hub, where, busy.town(hub, "ostelsheim"), MONDAY, after(4))
    for week in range(4):
        where.day(after(week), known[:5], hours=(9, 16))
        where.day(after(week), known[5:], hours=(17, 20))
    where.rows[models.Estimate] = [
        max(same, key=lambda row: row["mean"])
        for same in zip(*_by_day(where.rows[models.Estimate]), strict=True)
    ]
    where.write()
    busy.release_all(hub)
    heat = report(hub, Scope.PLACEMENTS, stop).heat
    assert heat is not None
    assert [heat[0][hour] for hour in (10, 17, 18, 19)] == [4, None, None, None]
    assert heat[0][5] == 0, "nobody was there, which is no secret"


def _by_day(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first and the second story told of each day."""
    first, second, seen = [], [], set()
    for row in rows:
        (second if row["at"] in seen else first).append(row)
        seen.add(row["at"])
    return first, second


def test_a_sensor_that_is_known_to_be_bad_makes_no_bad_air(hub: World) -> None:
    where, known = busy.place(hub, "kokubus", desks=8), busy.members(hub, 6)
    stop = busy.stands(hub, where, busy.town(hub, "ostelsheim"), MONDAY, after(1))
    for day in busy.weekdays(MONDAY, 1):
        where.day(day, known)  # 1,950 ppm from nine to four, and a day is told by its five people
    for row in where.rows[models.Reading]:
        if row["sensor_id"] == where.sensor and busy.at(after(0), 24) <= row["at"]:
            row["value"] = 65_535.0
    where.write()
    monday = {"sensor_id": where.sensor, "kind": "stuck", "found_at": busy.at(MONDAY, 12)}
    hub.add(models.SensorFault, **monday, cleared_at=busy.at(MONDAY, 15))
    busy.release_all(hub)
    totals = report(hub, Scope.PLACEMENTS, stop).totals
    assert totals["bad_air_hours"].value == 3 + 1, "nine to twelve, and from three to four"
