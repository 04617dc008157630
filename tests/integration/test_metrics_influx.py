"""The projection in real databases, and every panel of the dashboards asked of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from tests.hub import busy_place as busy
from tests.hub.policy_world import World, world
from tests.hub.test_dashboards import BOARDS
from tests.integration.influx import Influx, fetch, influxdb, running

from kokubus.occupancy import initial
from kokubus_cli.ports import free_port
from kokubus_hub import database, models, places
from kokubus_hub.boards.alerts import ALERTS
from kokubus_hub.metrics import projector as metrics
from kokubus_hub.models import table
from kokubus_hub.settings import Settings
from kokubus_hub.times import iso

MONDAY = date(2026, 8, 24)
NOW = busy.at(MONDAY + timedelta(days=28), 12)
PANELS = [
    (f"{name}-{panel['id']}", panel) for name, board in BOARDS.items() for panel in board["panels"]
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("hub")) as made:
        hub_with_a_month(made)
        yield made


@pytest.fixture(scope="module")
def influx(hub: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    folder = tmp_path_factory.mktemp("influx")
    with influxdb(folder) as server:
        for _ in range(2):  # once more, as after a crash: nothing may count twice
            metrics.rebuild(hub.engine, Settings(data_dir=folder, influx_url=server.url), NOW)
        yield server


def hub_with_a_month(hub: World) -> None:
    """A container that moves from Ostelsheim to Bad Herrenalb, and a building."""
    known = busy.members(hub, 8)
    towns = [busy.town(hub, name) for name in ("ostelsheim", "bad-herrenalb", "ebhausen")]
    container, move = busy.place(hub, "kokubus"), MONDAY + timedelta(days=14)
    busy.stands(hub, container, towns[0], MONDAY, move)
    busy.stands(hub, container, towns[1], move, None)
    building = busy.place(hub, "haus", 6, "building")
    busy.stands(hub, building, towns[2], MONDAY, None)
    for number, where in enumerate((container, building)):
        days = [*busy.weekdays(MONDAY, 4), MONDAY + timedelta(days=28)]
        busy.use(where, days, known, number, 4)
        believe(hub, where.room)


def believe(hub: World, room: int) -> None:
    with database.writing(hub.engine) as connection:
        belief = initial(places.current(connection, None).rooms[room].model, NOW)
        row = {"room_id": room, "at": NOW, "state": belief.to_json(), "version": 1}
        connection.execute(insert(table(models.Belief)).values(row))


def filled(query: str) -> str:
    """A panel's query as Grafana sends it with everything chosen."""
    first = busy.at(MONDAY)
    for name, value in {
        "$timeFilter": f"time >= {first}ms AND time <= {NOW + 8 * busy.DAY_MS}ms",
        "$__interval": "10m",
        "$municipality": ".*",
        "$site": ".*",
        "$room": ".*",
    }.items():
        query = query.replace(name, value)
    assert "$" not in query.replace("$/", ""), query
    return query


def rows(hub: World, model: type[models.Base]) -> int:
    with database.reading(hub.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table(model))).scalar_one())


def test_each_fact_is_counted_once(hub: World, influx: Influx) -> None:
    series = influx.ask('SELECT sum("count") FROM "tap", "enforced", "passage", "door_event"')
    found = {one["name"]: one["values"][0][1] for one in series}
    assert found == {
        "tap": rows(hub, models.AccessEvent),
        "enforced": rows(hub, models.Enforcement),
        "passage": rows(hub, models.Passage),
        "door_event": rows(hub, models.DoorEvent),
    }


def test_condensed_series_say_the_same_as_the_database(hub: World, influx: Influx) -> None:
    estimate = table(models.Estimate)
    with database.reading(hub.engine) as connection:
        hours = connection.execute(select(func.sum(estimate.c.mean) / 12)).scalar_one()
    (series,) = influx.ask('SELECT sum("person_hours") FROM "long"."occupancy_15m"')
    assert series["values"][0][1] == pytest.approx(hours)
    (series,) = influx.ask('SELECT sum("granted") + sum("denied") FROM "long"."doors_1h"')
    assert series["values"][0][1] == rows(hub, models.Enforcement)


def test_usual_is_the_mean_of_the_same_weekday_four_weeks_long(influx: Influx) -> None:
    ten = busy.at(MONDAY, 10)
    week = 7 * busy.DAY_MS
    (series,) = influx.ask('SELECT "mean" FROM "long"."occupancy_15m" WHERE "site" = \'haus\'')
    means = dict(series["values"])
    (series,) = influx.ask('SELECT "mean" FROM "long"."usual_15m" WHERE "site" = \'haus\'')
    usual = dict(series["values"])
    before = [means[stamp(ten + number * week)] for number in range(4)]
    assert len(set(before)) > 1
    assert usual[stamp(ten + 4 * week)] == pytest.approx(sum(before) / 4)
    assert usual[stamp(ten + week)] == before[0]


def stamp(at: int) -> str:
    return iso(at).replace(".000Z", "Z")


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[name for name, _ in PANELS])
def test_a_panels_queries_find_something(influx: Influx, name: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        series = influx.ask(filled(target["query"]))
        assert series, f"{name}: nothing found"
        fields = expected(target["query"])
        for one in series:
            assert set(fields) <= set(one["columns"]), f"{name}: {one['columns']}"
        found = [
            row[one["columns"].index(field)]
            for one in series
            for row in one["values"]
            for field in fields
        ]
        assert any(value is not None for value in found), f"{name}: no values"


def test_weeks_begin_on_monday(influx: Influx) -> None:
    panels = [panel for name, panel in PANELS if "pilot" in name]
    weekly = [p["targets"][0]["query"] for p in panels if "time(1w" in p["targets"][0]["query"]]
    assert weekly
    for query in weekly:
        for one in influx.ask(filled(query)):
            begun = [datetime.fromisoformat(row[0]) for row in one["values"]]
            assert {at.weekday() for at in begun} == {0}


def expected(query: str) -> list[str]:
    """The columns that the outermost SELECT makes."""
    chosen = re.split(r"\sFROM\s", query, maxsplit=1)[0]
    named = re.findall(r'AS "(\w+)"', chosen)
    return named or re.findall(r"(\w+)\(\"", chosen)


def test_the_dashboards_choices_are_there(influx: Influx) -> None:
    found: dict[str, set[str]] = {}
    for board in BOARDS.values():
        for variable in board["templating"]["list"]:
            (series,) = influx.ask(filled(variable["query"]))
            found.setdefault(variable["name"], set()).update(row[1] for row in series["values"])
    assert found["municipality"] == {"ostelsheim", "bad-herrenalb", "ebhausen"}
    assert found["site"] == {"kokubus", "haus"}
    assert found["room"] == {"kokubus-room", "haus-room"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.uid)
def test_what_an_alert_asks_is_answered(influx: Influx, alert: Any) -> None:
    assert influx.ask(filled(alert.query))


def test_nobody_is_in_it(influx: Influx) -> None:
    keys = {row[0] for one in influx.ask("SHOW TAG KEYS") for row in one["values"]}
    assert keys == {
        "by", "device", "door", "granted", "kind", "municipality", "quantity", "reason", "room",
        "sensor", "side", "site",
    }  # fmt: skip
    for key in keys:
        for one in influx.ask(f'SHOW TAG VALUES WITH KEY = "{key}"'):
            assert not any(value.startswith("m-") for _, value in one["values"])


def test_victoria_metrics_takes_the_same_points(hub: World, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        "victoria-metrics",
        f"-httpListenAddr={url.removeprefix('http://')}",
        f"-storageDataPath={tmp_path}",
        "-retentionPeriod=100y",
        "-memory.allowedBytes=64MB",
    ]
    with running(command, f"{url}/health"):
        settings = Settings(data_dir=tmp_path, influx_url=url)
        assert metrics.rebuild(hub.engine, settings, NOW) > 30_000
        fetch(f"{url}/internal/force_flush")
        found = fetch(f"{url}/api/v1/export?match=tap_count").decode().splitlines()
    counted = sum(len(json.loads(line)["values"]) for line in found)
    assert counted == rows(hub, models.AccessEvent)
