"""The figures of a report, its API, its CSV and its page."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from tests.hub import busy_place as busy
from tests.hub import web_world
from tests.hub.policy_world import World, world
from tests.loopback import asking

from kokubus_hub import database, models
from kokubus_hub.reports import release
from kokubus_hub.reports.catalogue import FIGURES
from kokubus_hub.reports.periods import season_end, stays
from kokubus_hub.settings import Settings

MONDAY = date(2026, 9, 7)
LATER = busy.at(date(2026, 11, 2))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("hub")) as made:
        furnish(made)
        yield made


def furnish(hub: World) -> None:
    """Two stops: three weeks with everybody every day, then two quieter ones."""
    where, known = busy.place(hub, "kokubus", desks=10), busy.members(hub, 12)
    move, gone = MONDAY + timedelta(days=21), MONDAY + timedelta(days=35)
    busy.stands(hub, where, busy.town(hub, "ostelsheim"), MONDAY, move)
    busy.stands(hub, where, busy.town(hub, "herrenalb"), move, gone)
    for day in busy.weekdays(MONDAY, 3):
        where.day(day, known[:6], booked=known[:5], missing=known[6:11], turned_away=1)
    for day in busy.weekdays(move, 2):
        where.day(day, [known[day.weekday()]], hours=(10, 14))
    where.write()
    while release.release_next(hub.engine, LATER):
        pass


@pytest.fixture(scope="module")
def client(hub: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("web"), break_even_person_hours=100)
    web = web_world.World(hub.engine, hub.keyring, settings, now=LATER)
    bearer = {"Authorization": f"Bearer {web.token(web.operator())}"}
    with web_world.serving(web) as address, asking(address, headers=bearer) as made:
        yield made


def stop(client: httpx.Client, town: str) -> dict[str, Any]:
    listed = client.get("/api/v1/reports").json()
    (found,) = [o for o in listed if o["scope"] == "placements" and o["title"].endswith(town)]
    return client.get(f"/api/v1/reports/placements/{found['name']}").json()


def value(report: dict[str, Any], key: str) -> Any:
    return report["totals"][key]["value"]


@pytest.mark.slow
def test_the_figures_of_a_busy_stop(client: httpx.Client) -> None:
    report = stop(client, "Ostelsheim")
    assert [period["level"] for period in report["periods"]].count("day") == 21
    told = {key: value(report, key) for key in report["totals"]}
    assert told == {
        "utilisation": 40,
        "fullness": 0,
        "peak": 60,
        "person_hours": 600,  # 6 people for 7 hours, 42, rounded to 40 on each of 15 days
        "open_hours": 150,
        "people": None,
        "visits": 75,
        "new": None,
        "returning": None,
        "bookings": 150,
        "bookings_used": 75,
        "no_shows": 75,
        "walk_ins": None,
        "purposes": None,
        "visits_by_band": None,
        "dwell_minutes": 420,
        "turned_away_hours": 15,
        "wary_air_hours": 105,
        "bad_air_hours": 105,
    }
    assert report["totals"]["people"] == {"value": None, "low": 10, "high": 150, "parts": None}
    assert report["totals"]["purposes"]["parts"] == {"desks": 150}
    assert report["totals"]["person_hours"]["low"] < 600 < report["totals"]["person_hours"]["high"]


def test_one_walk_in_among_bookers_is_hidden_with_them(client: httpx.Client) -> None:
    days = [p["figures"] for p in stop(client, "Ostelsheim")["periods"] if p["figures"]]
    assert {day["walk_ins"]["value"] for day in days} == {None}


def test_a_quiet_stop_is_told_by_the_week(client: httpx.Client) -> None:
    report = stop(client, "Herrenalb")
    assert [(p["level"], p["figures"] is not None) for p in report["periods"]] == [
        ("week", True),
        ("week", True),
    ]
    assert value(report, "person_hours") == 40
    assert report["totals"]["people"] == {"value": None, "low": 5, "high": 10, "parts": None}
    assert report["totals"]["returning"]["high"] == 10, "five in each week"


def test_heat_is_grey_where_fewer_than_three_weeks_were_counted(client: httpx.Client) -> None:
    busy_heat = stop(client, "Ostelsheim")["heat"]
    assert busy_heat[0][10] == 3, "60 % of the places on Mondays at ten"
    assert busy_heat[0][3] == 0
    assert busy_heat[6] == [None] * 24, "nobody on Sundays"
    quiet = stop(client, "Herrenalb")["heat"]
    assert {cell for row in quiet for cell in row} == {None}


def test_the_pilot_assessment_sets_one_stop_beside_the_others(client: httpx.Client) -> None:
    report = stop(client, "Ostelsheim")
    here, other = sorted(report["stops"], key=lambda one: not one["here"])
    assert (here["name"], other["name"]) == ("Ostelsheim", "Herrenalb")
    assert here["person_hours"]["value"] == pytest.approx(200)
    assert here["probability"] > 0.99
    assert other["person_hours"]["value"] == pytest.approx(20)
    assert other["probability"] < 0.01
    assert here["turned_away"] == pytest.approx(5)
    assert here["change"]["value"] == pytest.approx(0)
    assert other["change"] is None, "two weeks make no trend"


def test_commuting_is_a_range_with_its_formula_beside_it(client: httpx.Client) -> None:
    way = stop(client, "Ostelsheim")["commuting"]
    assert way["km"] == [75 * 2 * 5, 75 * 2 * 17]
    assert way["co2_kg"] == [round(750 * 0.68 * 0.166), round(2550 * 0.68 * 0.166)]
    assert (way["g_per_km"], way["year"]) == (166, 2022)
    assert "Umweltbundesamt" in way["source"]


def test_every_figure_has_its_definition_in_both_languages(client: httpx.Client) -> None:
    for language, utilisation in (("de", "Auslastung"), ("en", "Utilisation")):
        report = client.get(f"/api/v1/reports/sites/kokubus?lang={language}").json()
        assert report["definitions"].keys() == {figure.key for figure in FIGURES}
        assert report["definitions"]["utilisation"]["label"] == utilisation
        assert all(one["definition"] for one in report["definitions"].values())


def test_csv_says_the_same_as_json(client: httpx.Client) -> None:
    report = client.get("/api/v1/reports/municipalities/ostelsheim").json()
    answer = client.get("/api/v1/reports/municipalities/ostelsheim/csv?lang=en")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    for row in rows:
        if row["level"] == "total" and not row["part"] and row["value"]:
            assert float(row["value"]) == value(report, row["figure"])
        assert row["definition"]
    told = [p for p in report["periods"] if p["figures"]]
    assert len({row["from"] for row in rows if row["figure"] == "visits"}) == len(told) + 1


def test_csv_holds_the_pilot_assessment_the_ways_and_when_it_is_used(client: httpx.Client) -> None:
    path = f"/api/v1/reports/placements/{stop(client, 'Ostelsheim')['name']}"
    report = client.get(f"{path}?lang=en").json()
    answer = client.get(f"{path}/csv?lang=en").text
    rows = list(csv.DictReader(io.StringIO(answer)))
    beyond = {(row["figure"], row["part"]): row for row in rows if row["level"] == "total"}
    here = beyond["stop_person_hours", "Ostelsheim"]
    (seen,) = [one for one in report["stops"] if one["here"]]
    said = [float(here[key]) for key in ("value", "low", "high")]
    assert said == pytest.approx([seen["person_hours"][k] for k in ("value", "low", "high")], abs=1)
    assert beyond["stop_person_hours", "Herrenalb"]["value"] == "20"
    assert beyond["stop_break_even", "Herrenalb"]["value"] == "100"
    assert beyond["stop_change", "Herrenalb"]["value"] == ""
    assert float(beyond["stop_above_break_even", "Ostelsheim"]["value"]) > 99
    assert here["definition"] == report["stops_definition"]
    way = beyond["commuting_km", ""]
    assert (way["low"], way["high"], way["unit"]) == ("750", "2550", "km")
    assert way["definition"] == report["commuting_definition"]
    assert "166 g CO2" in way["definition"]
    assert "Umweltbundesamt" in way["definition"]
    heat = {part: row["value"] for (key, part), row in beyond.items() if key == "heat"}
    assert (len(heat), heat["mon 10:00"], heat["sun 10:00"]) == (168, "3", "")


def test_free_ranges_are_refused_with_the_reason(client: httpx.Client) -> None:
    for asked in ("from=2026-09-01", "until=2026-09-05&year=2026"):
        answer = client.get(f"/api/v1/reports/sites/kokubus?lang=en&{asked}")
        assert answer.status_code == 422
        assert "subtracted" in answer.json()["detail"]
    assert client.get("/api/v1/reports/sites/kokubus?year=2025").json()["periods"] == []


def test_names_there_are_not(client: httpx.Client) -> None:
    for path in ("sites/nowhere", "placements/999", "placements/x", "municipalities/kokubus"):
        assert client.get(f"/api/v1/reports/{path}").status_code == 404
    assert client.get("/api/v1/reports/rooms/hall").status_code == 422


def test_reports_are_for_who_is_signed_in(client: httpx.Client) -> None:
    stranger = {"Authorization": ""}
    for path in ("", "/sites/kokubus", "/sites/kokubus/csv"):
        assert client.get(f"/api/v1/reports{path}", headers=stranger).status_code == 401
    for path in ("", "/sites/kokubus"):
        answer = client.get(f"/reports{path}", headers=stranger, follow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


@pytest.mark.parametrize(("language", "word"), [("de", "Pilotauswertung"), ("en", "Pilot")])
def test_the_page_shows_figures_charts_and_definitions(
    client: httpx.Client, language: str, word: str
) -> None:
    overview = client.get(f"/reports?lang={language}")
    assert "/reports/sites/kokubus" in overview.text
    for path in ("sites/kokubus", "municipalities/herrenalb", "municipalities/dorf"):
        text = client.get(f"/reports/{path}?lang={language}").text
        assert "style=" not in text
        if path != "municipalities/dorf":
            assert word in text
            assert "<svg class=" in text
            assert "Umweltbundesamt" in text


def test_stays_and_seasons_never_straddle_a_week(hub: World) -> None:
    assert season_end(date(2026, 11, 23)) == date(2027, 1, 4), "2026 has 53 ISO weeks"
    assert season_end(date(2026, 1, 1)) == date(2026, 3, 30)
    hub.add(models.Placement, site_id=1, municipality_id=1, start=busy.at(date(2026, 2, 4)))
    with database.reading(hub.engine) as connection:
        found = [one for one in stays(connection, LATER) if one.site.slug == "dorf"]
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    weeks = [week for one in found for week in one.weeks(LATER)]
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(weeks))
