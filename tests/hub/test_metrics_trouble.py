"""The projection in trouble: refused points, old ones, outages, a cursor set back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import delete, insert
from structlog.testing import capture_logs
from tests.hub import facts
from tests.hub.metric_sink import ESTIMATE, Sink, estimate
from tests.hub.policy_world import NOW, World, world

from kokubus_hub import database, models
from kokubus_hub.metrics import refused
from kokubus_hub.metrics.influx import Keep, RefusedError
from kokubus_hub.metrics.projector import Projector
from kokubus_hub.models import table


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_a_point_that_is_refused_stands_aside_and_holds_nothing_up(hub: World) -> None:
    for number in range(20):
        facts.reading(hub, 1 if number else facts.sensor(hub), float(number))
    spoilt = facts.reading(hub, 1, 666.0)
    last = facts.reading(hub, 1, 7.0)
    sink = Sink(refuses="value=666.0")
    with capture_logs() as logs:
        assert Projector(hub.engine, sink).turn(NOW) == 21
    assert (len(sink.points), sink.lines[-1].endswith(str(NOW * 1_000_000 + last))) == (21, True)
    assert [entry["event"] for entry in logs] == ["metrics_set_aside"]
    with database.reading(hub.engine) as connection:
        assert refused.counted(connection) == {"reading": 1}
        aside = [("reading", spoilt, "422: field type conflict")]
        assert refused.latest(connection) == aside
    assert Projector(hub.engine, sink).turn(NOW) == 0


def test_a_value_no_database_takes_stands_aside(hub: World) -> None:
    sensor = facts.sensor(hub)
    for value in (1.0, math.inf, 2.0):
        facts.reading(hub, sensor, value)
    sink = Sink()
    assert Projector(hub.engine, sink).turn(NOW) == 2
    with database.reading(hub.engine) as connection:
        ((_, _, reason),) = refused.latest(connection)
    assert reason == "inf is no value: a number must be finite"


def test_an_estimate_no_database_takes_spoils_no_other_nor_its_own_quarter(hub: World) -> None:
    quarter = 900_000
    estimate(hub, NOW - 2 * quarter)
    spoilt = estimate(hub, NOW - quarter, mean=math.inf)
    estimate(hub, NOW)
    facts.tap(hub)
    sink = Sink()
    with capture_logs() as logs:
        assert Projector(hub.engine, sink).turn(NOW) == 3
    assert [entry["event"] for entry in logs if "aside" in entry["event"]]
    names = [line.split(",")[0] for line in sink.condensed]
    assert names.count("occupancy_15m") == 2, "all but the quarter that is spoilt"
    assert not any("inf" in line for line in sink.condensed)
    with database.reading(hub.engine) as connection:
        assert refused.latest(connection)[0][:2] == ("estimate", spoilt)
    assert Projector(hub.engine, sink).turn(NOW) == 0


def test_a_condensed_point_that_is_refused_holds_nothing_up(hub: World) -> None:
    facts.enforced(hub)
    facts.tap(hub)
    sink = Sink(refuses="doors_1h")
    with capture_logs() as logs:
        assert Projector(hub.engine, sink).turn(NOW) == 2
    said = [entry for entry in logs if entry["event"] == "metrics_set_aside"]
    assert "422: field type conflict" in said[0]["reason"]
    assert Projector(hub.engine, sink).turn(NOW) == 0


def test_what_is_believed_now_holds_no_fact_up(hub: World) -> None:
    """The database has learned, from somebody else, that a field is of another type."""
    hub.set(models.Device, 1, online=True)
    facts.tap(hub)
    sink = Sink(refuses="device_now")
    projector = Projector(hub.engine, sink)
    with capture_logs() as logs:
        assert projector.turn(NOW) >= 1
    assert [line.split(",")[0] for line in sink.lines] == ["tap"]
    assert [entry["event"] for entry in logs] == ["metrics_set_aside"]


def test_if_even_a_sound_point_is_refused_nothing_is_set_aside(hub: World) -> None:
    facts.tap(hub)
    sink = Sink(refuses="=")
    with pytest.raises(RefusedError):
        Projector(hub.engine, sink).turn(NOW)
    sink.refuses = ""
    assert Projector(hub.engine, sink).turn(NOW) == 1
    with database.reading(hub.engine) as connection:
        assert refused.counted(connection) == {}


def test_what_influxdb_would_drop_for_its_age_is_not_sent(hub: World) -> None:
    day = 86_400_000
    facts.tap(hub, NOW - 91 * day)
    facts.tap(hub, NOW - 89 * day)
    facts.enforced(hub, NOW - 91 * day)
    sink = Sink()
    Projector(hub.engine, sink, keep_days=90).turn(NOW)
    assert len(sink.lines) == 1
    assert len(sink.condensed) == 1, "condensed series stay for years"


def test_after_an_outage_no_kind_of_fact_waits_for_all_of_another(hub: World) -> None:
    sensor = facts.sensor(hub)
    rows = [{"sensor_id": sensor, "at": NOW, "value": 1.0}] * 11_000
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Reading)), rows)
    with database.writing(hub.engine) as connection:
        minutes = [ESTIMATE | {"at": NOW - at} for at in range(6_000)]
        connection.execute(insert(table(models.Estimate)), minutes)
    kinds: list[str] = []
    Projector(hub.engine, lambda _, lines: kinds.append(lines[0].split(",")[0])).turn(NOW)
    assert kinds == [
        "occupancy",
        "occupancy_15m",
        "usual_15m",
        "reading",
        "occupancy",
        "occupancy_15m",
        "usual_15m",
        "reading",
        "reading",
    ]


def test_a_catch_up_ends_when_it_is_asked_to(hub: World) -> None:
    rows = [{"sensor_id": facts.sensor(hub), "at": NOW, "value": 1.0}] * 11_000
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Reading)), rows)
    sink = Sink()
    projector = Projector(hub.engine, sink, stopped=lambda: bool(sink.lines))
    assert projector.turn(NOW) == 5_000


def test_a_cursor_that_was_set_back_meanwhile_is_not_overwritten(hub: World) -> None:
    facts.tap(hub)

    def write(keep: Keep, lines: Sequence[str]) -> None:
        sink(keep, lines)
        with database.writing(hub.engine) as connection:
            connection.execute(delete(table(models.MetricCursor)))
            connection.execute(
                insert(table(models.MetricCursor)).values(name="access_event", last_id=-7)
            )

    sink = Sink()
    projector = Projector(hub.engine, write)
    projector.turn(NOW)
    assert Projector(hub.engine, sink).turn(NOW) == 1
