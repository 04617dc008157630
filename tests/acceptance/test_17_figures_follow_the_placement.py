"""Case 17, the figures: the container moves, and what was counted stays where it was counted.

Bookings and pages that follow the placement are in the other half of this case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update
from tests.acceptance.rig.network import Network
from tests.acceptance.rig.village import FIRST, FRONT, SITE, Person, now
from tests.acceptance.rig.waiting import wait_until
from tests.integration.influx_sink import InfluxSink

from kokubus_cli.ports import free_port
from kokubus_hub import changes, models
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table
from kokubus_hub.reports import release, service
from kokubus_hub.reports.service import Scope
from kokubus_hub.settings import Settings

DAY_MS = 86_400_000
LASTS = timedelta(seconds=90)
UIDS = [f"04A3C6CAE2618{number}" for number in range(5)]
OLD, NEW = "musterdorf", "bad-herrenalb"


@pytest.fixture
def sink() -> Iterator[InfluxSink]:
    """Takes what InfluxDB takes."""
    made = InfluxSink(free_port())
    with closing(made):
        yield made


def test_yesterdays_figures_stay_where_the_container_stood(
    network: Network, sink: InfluxSink
) -> None:
    wait_until(_far_from_midnight, "a day that lasts longer than this")
    people = [network.village.member(uid) for uid in UIDS]
    _everybody_enters(network, people)
    moved = _move(network)
    _everybody_enters(network, people[:3] + people)

    port = sink._server.server_address[1]
    network.work.environ["KOKUBUS_HUB_INFLUX_URL"] = f"http://127.0.0.1:{port}"
    network.work.start()
    rows = len(network.village.rows(models.Passage))
    points = wait_until(lambda: _passages(sink, rows), "every passage to be projected")
    assert Counter(points) == {OLD: 5, NEW: rows - 5}
    network.work.stop()

    while release.release_next(network.engine, moved + 14 * DAY_MS):
        pass
    assert _visits(network, Scope.MUNICIPALITIES, OLD) == 5
    assert _visits(network, Scope.MUNICIPALITIES, NEW) == 5
    assert _visits(network, Scope.SITES, SITE) == 10


def _far_from_midnight() -> bool:
    """Who comes on two days is counted twice."""
    here = datetime.now(ZoneInfo("Europe/Berlin"))
    return (here + LASTS).date() == here.date()


def _everybody_enters(network: Network, people: list[Person]) -> None:
    before = len(network.village.rows(models.Passage))
    for number, person in enumerate(people, 1):
        assert network.agents[FIRST].tap(FRONT, person.uid, walk=True)["granted"]
        wait_until(
            lambda: len(network.village.rows(models.Passage)) == before + number,  # noqa: B023 - called before the next turn
            "the passage",
        )


def _move(network: Network) -> int:
    """The container leaves one municipality and stands in the next from this moment on."""
    at = now()
    placement, site = table(models.Placement), table(models.Site)
    with writing(network.engine) as connection:
        connection.execute(update(site).values(kind="container"))
        connection.execute(update(placement).values(start=at - DAY_MS, end=at))
        town = insert(table(models.Municipality)).values(slug=NEW, name="Bad Herrenalb")
        there = connection.execute(town).inserted_primary_key[0]
        connection.execute(insert(placement).values(site_id=1, municipality_id=there, start=at))
        changes.record(connection, at, "moved", 1)
    return at


def _passages(sink: InfluxSink, count: int) -> list[str]:
    """The municipality of each passage; empty until there are ``count``."""
    lines = [line for lines in sink.lines.values() for line in lines if line.startswith("passage,")]
    towns = [line.split("municipality=")[1].split(",")[0] for line in lines]
    return towns if len(towns) >= count else []


def _visits(network: Network, scope: Scope, name: str) -> float | None:
    with reading(network.engine) as connection:
        report = service.report(connection, Settings(), scope, name)
    return report.totals["visits"].value
