"""What may be told: the rules, and attacks by subtraction on everything that is exported."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from tests.hub import busy_place as busy
from tests.hub.policy_world import World, world

from kokubus_hub import database, models
from kokubus_hub.i18n import words
from kokubus_hub.models import table
from kokubus_hub.reports import service
from kokubus_hub.reports.privacy import K, Level, Part, level_of, partition, rounded
from kokubus_hub.reports.schemas import table_of
from kokubus_hub.reports.service import Report, Scope
from kokubus_hub.settings import Settings

MONDAY = date(2026, 9, 7)
DAY_MS = 86_400_000
BLOCK = table(models.ReportBlock)
groups = st.lists(st.frozensets(st.integers(0, 30), max_size=9), min_size=1, max_size=6)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def blocks(hub: World) -> list[Any]:
    with database.reading(hub.engine) as connection:
        return list(connection.execute(select(BLOCK).order_by(BLOCK.c.site_id, BLOCK.c.start)))


def report(hub: World, scope: Scope, name: object, year: int | None = None) -> Report:
    with database.reading(hub.engine) as connection:
        return service.report(connection, Settings(), scope, str(name), year)


def test_counts_are_rounded_to_five() -> None:
    assert [rounded(n) for n in (0, 2, 2.5, 7, 8, 12.4, 100)] == [0, 0, 5, 5, 10, 10, 100]


@given(groups)
def test_what_is_held_back_of_a_total_is_never_about_too_few(people: list[frozenset[int]]) -> None:
    parts = {n: Part(len(group), group) for n, group in enumerate(people)}
    told = partition(parts)
    hidden = [parts[n].people for n, count in told.items() if count is None]
    assert all(
        len(parts[n].people) >= K or not parts[n].people for n in told if told[n] is not None
    )
    if len(hidden) < len(parts) and hidden:
        assert len(frozenset().union(*hidden)) >= K


def test_the_smallest_of_the_rest_hides_a_single_small_part() -> None:
    parts = {
        "desks": Part(40, frozenset(range(20))),
        "meeting": Part(9, frozenset(range(8))),
        "event": Part(3, frozenset({1, 2})),
    }
    assert partition(parts) == {"desks": 40, "meeting": None, "event": None}


@given(groups)
def test_a_week_is_told_by_the_day_only_if_each_may_be(days: list[frozenset[int]]) -> None:
    level = level_of(days)
    if level is Level.DAY:
        assert all(len(day) >= K or not day for day in days)
    if level is Level.WEEK:
        assert len(frozenset().union(*days)) >= K


def four_desks(hub: World, people: int = 9) -> int:
    """One stop of five weeks, four desks; the placement's id."""
    where = busy.place(hub, "kokubus")
    town = busy.town(hub, "ostelsheim")
    stop = busy.stands(hub, where, town, MONDAY, MONDAY + timedelta(days=35))
    known = busy.members(hub, people)
    for week in range(5):
        some = [known[(week + n) % people] for n in range(3)]  # three a week: too few to tell
        for day in busy.weekdays(MONDAY + timedelta(days=7 * week), 1):
            where.day(day, some, booked=some[:2], turned_away=1)
    where.write()
    return stop


@pytest.mark.slow
def test_a_stop_of_four_desks_is_told_as_a_whole_rather_than_not_at_all(hub: World) -> None:
    stop = four_desks(hub)
    busy.release_all(hub)
    told = [(row.level, row.figures is not None) for row in blocks(hub)]
    assert told == [("week", False), ("stay", True), *[("week", False)] * 4]
    found = report(hub, Scope.PLACEMENTS, stop)
    (stopped,) = found.stops
    assert stopped.stop.person_hours is not None
    assert stopped.stop.person_hours.value == pytest.approx(3 * 7 * 5, abs=1)
    assert stopped.stop.probability == pytest.approx(1.0, abs=0.01), "105 h a week against 60"
    assert found.totals["visits"].value == 75
    assert found.totals["people"].value == 5, "seven, rounded"
    assert found.totals["turned_away_hours"].value == 25
    assert found.heat is not None


def test_a_stop_of_too_few_people_tells_nothing(hub: World) -> None:
    stop = four_desks(hub, people=4)
    busy.release_all(hub)
    found = report(hub, Scope.PLACEMENTS, stop)
    assert all(value.value is None for value in found.totals.values())
    assert (found.heat, found.commuting, found.stops) == (None, None, [])
    assert all(period.figures is None for period in found.periods)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A container at two stops and two buildings, busy and quiet weeks in turn."""
    with world(tmp_path_factory.mktemp("network")) as hub:
        furnish(hub)
        yield hub


def furnish(hub: World) -> None:
    known = busy.members(hub, 14)
    towns = [busy.town(hub, name) for name in ("ostelsheim", "herrenalb")]
    container = busy.place(hub, "kokubus")
    move = MONDAY + timedelta(days=35)
    busy.stands(hub, container, towns[0], MONDAY, move)
    busy.stands(hub, container, towns[1], move, move + timedelta(days=28))
    busy.use(container, busy.weekdays(MONDAY, 9), known[:8], 1, 3)
    for number, desks in enumerate((12, 5)):
        building = busy.place(hub, f"haus-{number}", desks, "building")
        busy.stands(hub, building, towns[number], MONDAY, None)
        most = (11, 2)[number]
        busy.use(building, busy.weekdays(MONDAY, 9), known[: most + 1], 2 + number, most)
    busy.release_all(hub)


def truth(hub: World, site: int, start: int, end: int) -> set[int]:
    """Whoever really came in or had booked."""
    event, booking = table(models.AccessEvent), table(models.Booking)
    door, room = table(models.Door), table(models.Room)
    came = (
        select(event.c.member_id)
        .join(door, door.c.id == event.c.door_id)
        .where(door.c.site_id == site, event.c.at >= start, event.c.at < end)
    )
    booked = (
        select(booking.c.member_id)
        .join(room, room.c.id == booking.c.room_id)
        .where(room.c.site_id == site, booking.c.start >= start, booking.c.start < end)
    )
    with database.reading(hub.engine) as connection:
        found = {*connection.scalars(came), *connection.scalars(booked)}
    return {member for member in found if member is not None}


@pytest.mark.slow
def test_no_told_stretch_is_about_too_few_and_none_overlaps_another(network: World) -> None:
    told = [row for row in blocks(network) if row.figures is not None]
    assert {row.level for row in told} >= {"day", "week"}
    for row in told:
        if row.level != "stay":
            assert len(truth(network, row.site_id, row.start, row.end)) >= K
    for one, other in itertools.combinations([row for row in told if row.level != "stay"], 2):
        apart = one.end <= other.start or other.end <= one.start
        assert apart or one.site_id != other.site_id


def exports(hub: World) -> dict[tuple[str, str, int | None], Report]:
    with database.reading(hub.engine) as connection:
        listed = service.contents(connection)
    years = (None, 2026)
    return {
        (one.scope, one.name, year): report(hub, one.scope, one.name, year)
        for one in listed
        for year in years
    }


ADDED = ("person_hours", "visits", "bookings", "walk_ins", "no_shows", "turned_away_hours")


def test_totals_minus_cells_leave_nothing(network: World) -> None:
    """What a total says more than its told periods is what an attacker learns: nothing."""
    for found in exports(network).values():
        for key in ADDED:
            told = [p.figures[key].value for p in found.periods if p.figures]
            cells = sum(value for value in told if value is not None)
            assert (found.totals[key].value or 0) == cells


def test_sites_minus_municipality_leave_nothing(network: World) -> None:
    found = exports(network)
    for key in ADDED:
        by_town = sum(
            one.totals[key].value or 0
            for (scope, _, year), one in found.items()
            if scope == Scope.MUNICIPALITIES and year is None
        )
        by_site = sum(
            one.totals[key].value or 0
            for (scope, _, year), one in found.items()
            if scope == Scope.SITES and year is None
        )
        assert by_town == by_site


def test_every_figure_anybody_can_export_is_made_of_told_stretches(network: World) -> None:
    """The union of all exports holds exactly the released blocks, whatever is asked."""
    seen = {
        (period.site, period.level, period.start, period.end)
        for found in exports(network).values()
        for period in found.periods
        if period.figures
    }
    with database.reading(network.engine) as connection:
        slugs = {row.id: row.slug for row in connection.execute(select(table(models.Site)))}
    assert seen == {
        (slugs[row.site_id], row.level, row.start, row.end)
        for row in blocks(network)
        if row.figures is not None
    }


def tables(hub: World) -> dict[Any, str]:
    return {key: table_of(found, words("en")) for key, found in exports(hub).items()}


@pytest.mark.slow
def test_a_later_export_says_the_same_of_what_was_told(hub: World) -> None:
    """Late facts, forgotten links and erased members change nothing that was told."""
    furnish(hub)
    before, told = tables(hub), {row.id: row for row in blocks(hub)}
    with database.writing(hub.engine) as connection:
        connection.execute(update(table(models.AccessEvent)).values(member_id=None))
        connection.execute(delete(table(models.Booking)))
        connection.execute(update(table(models.Estimate)).values(mean=9.0))
    busy.release_all(hub)
    assert tables(hub) == before
    week = 7 * DAY_MS
    busy.release_all(hub, busy.LATER + 5 * week)
    after = {row.id: row for row in blocks(hub)}
    assert all(after[key] == row for key, row in told.items())


@pytest.mark.slow
def test_exports_week_by_week_differ_by_whole_told_stretches(hub: World) -> None:
    """Whoever asks every day learns no more than who asks once at the end."""
    where, town = busy.place(hub, "haus", 12, "building"), busy.town(hub, "dorfen")
    busy.stands(hub, where, town, MONDAY, None)
    busy.use(where, busy.weekdays(MONDAY, 6), busy.members(hub, 9), 5, 8)
    last: set[str] = set()
    for day in range(0, 60, 3):
        busy.release_all(hub, busy.at(MONDAY + timedelta(days=day), 12))
        rows = csv.reader(io.StringIO(table_of(report(hub, Scope.SITES, "haus"), words("en"))))
        cells = {",".join(row) for row in rows if row[0] != "total"}
        assert last <= cells, "nothing that was told changes or goes away"
        last = cells
    busy.release_all(hub)
    assert len(last) > 10


def test_nobody_is_in_an_export(network: World) -> None:
    text = "".join(tables(network).values())
    assert "m-0" not in text
    assert "Probe" not in text
