"""The projection in real databases, and every panel of the dashboards asked of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub import facts
from tests.hub.policy_world import HOUR_MS, NOW, World, world
from tests.integration.influx import Influx, fetch, influxdb, running

from kokubus_cli.ports import free_port
from kokubus_hub import models
from kokubus_hub.metrics import projector as metrics
from kokubus_hub.settings import Settings

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
BOARDS = {path.name: json.loads(path.read_text()) for path in DASHBOARDS.glob("*.json")}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]
GRID = 24


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("hub")) as made:
        hub_with_a_day(made)
        yield made


@pytest.fixture(scope="module")
def influx(hub: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    folder = tmp_path_factory.mktemp("influx")
    with influxdb(folder) as server:
        for _ in range(2):  # once more, as after a crash: nothing may count twice
            metrics.rebuild(hub.engine, Settings(data_dir=folder, influx_url=server.url), NOW)
        yield server


def hub_with_a_day(hub: World) -> None:
    hub.add(models.Placement, site_id=1, municipality_id=1, start=0, end=None)
    co2 = facts.sensor(hub)
    for hour in range(12):
        at = NOW - hour * HOUR_MS
        facts.tap(hub, at)
        facts.tap(hub, at, granted=False, reason="no_booking")
        facts.enforced(hub, at)
        facts.enforced(hub, at, by="edge", granted=False, reason="policy_stale")
        facts.passage(hub, at, side="in")
        facts.forced(hub, at)
        facts.reading(hub, co2, 500.0 + hour, at)
    row = {"room_id": 1, "median": 3, "mean": 3.2, "variance": 1.5, "low": 1, "high": 6}
    row |= {"at": NOW, "presence": 0.9, "capacity": 8, "drift": False, "weights": {}}
    hub.add(models.Estimate, **row)


def filled(query: str) -> str:
    """A panel's query as Grafana sends it with everything chosen."""
    for name, value in {
        "$timeFilter": f"time > {NOW - 24 * HOUR_MS}ms AND time <= {NOW + HOUR_MS}ms",
        "$__interval": "10m",
        "$municipality": ".*",
        "$site": ".*",
    }.items():
        query = query.replace(name, value)
    assert "$" not in query.replace("$/", ""), query
    return query


def test_each_fact_is_counted_once(influx: Influx) -> None:
    series = influx.ask('SELECT sum("count") FROM "tap", "enforced", "passage", "door_event"')
    found = {one["name"]: one["values"][0][1] for one in series}
    assert found == {"tap": 24, "enforced": 24, "passage": 12, "door_event": 12}


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=[f"{name}-{panel['id']}" for name, panel in PANELS]
)
def test_a_panels_queries_find_something(influx: Influx, board: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        series = influx.ask(filled(target["query"]))
        assert series, f"{panel['title']}: nothing found"
        values = [value for one in series for row in one["values"] for value in row[1:]]
        assert any(value is not None for value in values), f"{panel['title']}: no values"


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_a_dashboards_choices_are_there(influx: Influx, board: dict[str, Any]) -> None:
    for variable in board["templating"]["list"]:
        (series,) = influx.ask(filled(variable["query"]))
        assert series["values"] == [[variable["name"], "dorf"]]


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_a_dashboard_is_well_formed(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in covered(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < GRID
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"kokubus"}


def covered(grid: dict[str, int]) -> list[tuple[int, int]]:
    return [(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])]


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
        written = metrics.rebuild(hub.engine, Settings(data_dir=tmp_path, influx_url=url), NOW)
        assert written == 85
        fetch(f"{url}/internal/force_flush")
        found = fetch(f"{url}/api/v1/export?match=tap_count").decode().splitlines()
    assert sum(len(json.loads(line)["values"]) for line in found) == 24
