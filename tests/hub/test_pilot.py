"""A stop's assessment, the statistics under it, and the ways that were not driven."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.hub import busy_place as busy
from tests.hub.policy_world import world

from kokubus_hub import database, models
from kokubus_hub.i18n import words
from kokubus_hub.reports import pilot, release, service, statistics
from kokubus_hub.reports.schemas import assumed, table_of
from kokubus_hub.settings import Settings

MONDAY = date(2026, 9, 7)
LATER = busy.at(date(2026, 11, 2))
BANDS = Settings(commute_bands="701=25-40 752=8-15")


def told(visits: float, by_band: dict[str, int | None], settings: Settings = BANDS) -> Any:
    way = pilot.commuting(visits, by_band, settings)
    assert way is not None
    return way


def test_who_gave_a_postcode_band_has_its_kilometres() -> None:
    way = told(75, {"701": 20, "752": None, "999": 10, "?": 45})
    assert way.bands == (("701", 20, 25, 40),), "752 may not be told, of 999 nothing is known"
    assert way.visits == 55
    assert way.km == (55 * 2 * 5 + 20 * 2 * 25, 55 * 2 * 17 + 20 * 2 * 40)
    said = assumed(way, words("en"))
    assert said.startswith("55 visits x 2 ways x 5 to 17 km")
    assert said.endswith("20 visits instead of 701: 25 to 40 km each way.")
    assert assumed(told(75, {}), words("en")).endswith("TREMOD")
    assert told(75, {"701": 20}, Settings()).km == told(75, {}).km


@pytest.mark.slow
@pytest.mark.parametrize(("given", "parts"), [(6, {"701": 25, "?": 25}), (3, {}), (0, {})])
def test_a_postcode_band_is_told_of_five_people_at_least(
    tmp_path: Path, given: int, parts: dict[str, int]
) -> None:
    with world(tmp_path) as hub:
        where, known = busy.place(hub, "bus", desks=12), busy.members(hub, 12)
        week = MONDAY + timedelta(days=7)
        name = busy.stands(hub, where, busy.town(hub, "neuweiler"), MONDAY, week)
        for member in known[:given]:
            hub.set(models.Member, member, postcode_band="701")
        for day in busy.weekdays(MONDAY, 1):
            where.day(day, known)
        where.write()
        while release.release_next(hub.engine, LATER):
            pass
        with database.reading(hub.engine) as connection:
            found = service.report(connection, BANDS, service.Scope.PLACEMENTS, str(name))
    shown = found.totals["visits_by_band"].parts or {}
    assert {band: count for band, count in shown.items() if count} == parts
    assert found.commuting is not None
    assert bool(found.commuting.bands) == bool(parts)
    assert "701" not in table_of(found, words("en")) or given


def test_students_t_is_what_tables_say() -> None:
    """Against published quantiles (any textbook's table of t at 0.95)."""
    for freedom, expected in ((1, 6.314), (2, 2.920), (4, 2.132), (10, 1.812), (30, 1.697)):
        assert statistics.t_quantile(0.95, freedom) == pytest.approx(expected, abs=2e-3)
    assert statistics.t_below(0, 3) == 0.5
    assert statistics.t_below(-2.132, 4) == pytest.approx(0.05, abs=1e-4)


def test_a_trend_knows_how_unsure_it_is() -> None:
    rising = statistics.trend([(0, 10), (1, 21), (2, 29), (3, 42)])
    assert rising is not None
    assert rising.low is not None
    assert 0 < rising.low < rising.value
    assert rising.value == pytest.approx(10.4)
    assert statistics.trend([(0, 1), (1, 2)]) is None
    assert statistics.above([(5, 1), (5, 1), (5, 1)], 4) == 1.0
    assert statistics.above([(5, 1)], 4) is None


def weeks_of(*hours: tuple[int, float, int]) -> list[pilot.Told]:
    """(week it begins in, weeks long, person-hours) as released."""
    return [
        pilot.Told(
            begins * pilot.WEEK_MS,
            weeks,
            {"person_hours": told, "person_hours_range": [told, told], "turned_away_hours": 0},
        )
        for begins, weeks, told in hours
    ]


def test_quiet_weeks_told_together_weigh_as_many_as_they_are() -> None:
    """Two busy weeks, and three quiet ones that only the stay as a whole may tell."""
    stopped = pilot.assess(weeks_of((0, 1.0, 60), (3, 1.0, 60), (0, 3.0, 15)), 40)
    assert stopped.person_hours is not None
    assert stopped.person_hours.value == pytest.approx(135 / 5)
    assert stopped.probability is not None
    assert stopped.probability < 0.5
    assert stopped.weeks == 5


def test_a_weighed_mean_is_that_of_the_weeks_it_stands_for() -> None:
    plain = statistics.mean_of([(value, 1.0) for value in (10, 20, 40)])
    assert plain is not None
    assert plain.low is not None
    half = 2.920 * 15.2753 / 3**0.5  # Student's t at 0.95 with 2 degrees, the standard deviation
    assert (plain.value, plain.value - plain.low) == pytest.approx((70 / 3, half), rel=1e-3)
    assert statistics.mean_of([(value, 2.0) for value in (10, 20, 40)]) == plain


def test_weeks_that_were_not_told_are_a_gap_in_the_trend() -> None:
    change = pilot.assess(weeks_of((0, 1.0, 10), (1, 1.0, 20), (5, 1.0, 60)), 40).change
    assert change is not None
    assert change.value == pytest.approx(10)


def test_a_week_in_which_the_clocks_change_is_one_week() -> None:
    longer = 169 / 168
    change = pilot.assess(weeks_of((0, 1.0, 10), (1, longer, 20), (2, 1.0, 30)), 40).change
    assert change is not None
    assert change.count == 3


def test_equal_weeks_are_no_surer_than_their_rounding() -> None:
    stopped = pilot.assess(weeks_of((0, 1.0, 40), (1, 1.0, 40), (2, 1.0, 40)), 40)
    assert stopped.probability == pytest.approx(0.5), "each may be 37.5 to 42.5"
    assert stopped.person_hours is not None
    assert stopped.person_hours.low is not None
    assert stopped.person_hours.low < 40 < (stopped.person_hours.high or 0)


def test_a_single_block_takes_the_estimates_interval() -> None:
    figures = {"person_hours": 300, "person_hours_range": [285, 315], "turned_away_hours": 0}
    stopped = pilot.assess([pilot.Told(0, 5.0, figures)], 60)
    assert stopped.person_hours == statistics.Mean(60.0, 57.0, 63.0, 1)
    assert stopped.probability == pytest.approx(0.5)
    assert stopped.change is None
