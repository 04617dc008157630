"""The projection of estimates: exact, condensed, usual, and of the running minute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, insert
from tests.hub import facts
from tests.hub.metric_sink import Sink, estimate
from tests.hub.policy_world import NOW, World, world

from kokubus.occupancy import initial
from kokubus_hub import database, models, places
from kokubus_hub.metrics.projector import MINUTE_MS, Projector
from kokubus_hub.models import table


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_an_estimate_is_a_point_at_its_instant_without_an_id(hub: World) -> None:
    estimate(hub)
    sink = Sink()
    projector = Projector(hub.engine, sink)
    projector.turn(NOW)
    with database.writing(hub.engine) as connection:
        connection.execute(delete(table(models.Estimate)))
    estimate(hub, mean=4.0)
    projector.turn(NOW)
    assert [line.rsplit(" ", 1)[1] for line in sink.lines] == [str(NOW * 1_000_000)] * 2
    assert len(sink.points) == 1, "what late evidence changed overwrites what was believed"
    assert sink.lines[0] == (
        "occupancy,municipality=in-transit,room=dorf-hall,site=dorf people=3i,mean=3.2,"
        f"variance=1.5,low=1i,high=6i,presence=0.9,capacity=8i {NOW * 1_000_000}"
    )


def test_quarters_and_hours_go_to_the_bucket_that_stays(hub: World) -> None:
    hour = NOW - NOW % 3_600_000
    for at, mean in ((hour, 1.0), (hour + 300_000, 2.0), (hour + 600_000, 6.0)):
        estimate(hub, at, mean=mean)
    facts.enforced(hub, hour)
    facts.enforced(hub, hour + 1, granted=False, reason="room_full")
    facts.enforced(hub, hour + 3_600_000, granted=False, reason="no_booking")
    sink = Sink()
    projector = Projector(hub.engine, sink)
    projector.turn(NOW)
    place = "municipality=in-transit"
    assert sorted(line for line in sink.condensed if not line.startswith("usual")) == [
        f"doors_1h,door=dorf-front,{place},site=dorf granted=0i,denied=1i,full=0i "
        f"{(hour + 3_600_000) * 1_000_000}",
        f"doors_1h,door=dorf-front,{place},site=dorf granted=1i,denied=1i,full=1i "
        f"{hour * 1_000_000}",
        f"occupancy_15m,{place},room=dorf-hall,site=dorf mean=3.0,variance=1.5,low=1.0,high=6.0,"
        f"presence=0.9,capacity=8.0,person_hours=0.75 {hour * 1_000_000}",
    ]
    facts.enforced(hub, hour + 2)
    projector.turn(NOW)
    assert "granted=2i,denied=1i,full=1i" in sink.condensed[-1], "a late fact ends in its own hour"


def test_usual_is_the_mean_of_this_and_the_three_weeks_before(hub: World) -> None:
    quarter, week = NOW - NOW % 900_000, 7 * 86_400_000
    for number, mean in enumerate((1.0, 2.0, 3.0, 6.0, 100.0)):
        estimate(hub, quarter + number * week, mean=mean)
    sink = Sink()
    projector = Projector(hub.engine, sink)
    projector.turn(NOW)
    assert usual(sink)[quarter + week] == "mean=1.0,weeks=1i"
    assert usual(sink)[quarter + 4 * week] == "mean=3.0,weeks=4i"
    estimate(hub, quarter + 600_000, mean=5.0)
    projector.turn(NOW)
    assert usual(sink)[quarter + 4 * week] == "mean=3.5,weeks=4i", "a late estimate counts too"
    assert usual(sink)[quarter + 5 * week] == "mean=27.75,weeks=4i"


def test_nothing_is_usual_where_a_container_has_just_come_to(hub: World) -> None:
    quarter, week = NOW - NOW % 900_000, 7 * 86_400_000
    towns = [hub.add(models.Municipality, slug=name, name=name) for name in ("alt", "neu")]
    move = quarter + 2 * week
    for town, start, end in ((towns[0], 0, move), (towns[1], move, None)):
        hub.add(models.Placement, site_id=1, municipality_id=town, start=start, end=end)
    for number, mean in enumerate((1.0, 2.0, 30.0, 40.0)):
        estimate(hub, quarter + number * week, mean=mean)
    sink = Sink()
    Projector(hub.engine, sink).turn(NOW)
    found = usual(sink)
    assert found[quarter + week] == "mean=1.0,weeks=1i"
    assert quarter + 2 * week not in found, "its first week in the new place"
    assert found[quarter + 3 * week] == "mean=30.0,weeks=1i"
    assert found[quarter + 4 * week] == "mean=35.0,weeks=2i"
    assert {line.split(",")[1] for line in sink.condensed if line.startswith("usual")} == {
        "municipality=alt", "municipality=neu",
    }  # fmt: skip


def usual(sink: Sink) -> dict[int, str]:
    """The newest fields of each instant."""
    found = [line.split(" ") for line in sink.condensed if line.startswith("usual")]
    return {int(at) // 1_000_000: fields for _, fields, at in found}


def test_devices_are_sampled_with_the_beliefs(hub: World) -> None:
    hub.set(models.Device, 1, online=True, status_at=NOW - NOW % MINUTE_MS - 30_000)
    sink = Sink()
    Projector(hub.engine, sink).turn(NOW)
    place = "municipality=in-transit,site=dorf"
    at = (NOW - NOW % MINUTE_MS) * 1_000_000
    assert sink.lines == [f"device_now,device=dorf-1,{place} online=1i,since_s=30i {at}"]


def believe(hub: World) -> None:
    with database.writing(hub.engine) as connection:
        room = places.current(connection, None).rooms[1]
        belief = initial(room.model, NOW)
        row = {"room_id": 1, "at": NOW, "state": belief.to_json(), "version": 1}
        connection.execute(insert(table(models.Belief)).values(row))


def test_beliefs_are_sampled_once_a_minute(hub: World) -> None:
    believe(hub)
    minute = NOW - NOW % MINUTE_MS
    sink = Sink()
    projector = Projector(hub.engine, sink)
    assert [projector.turn(minute + late) for late in (0, 59_999, 60_000)] == [1, 0, 1]
    series, fields, at = sink.lines[0].split(" ")
    assert series == "occupancy_now,municipality=in-transit,room=dorf-hall,site=dorf"
    assert {pair.split("=")[0] for pair in fields.split(",")} == {
        "people", "mean", "low", "high", "presence", "capacity"
    }  # fmt: skip
    assert int(at) == minute * 1_000_000
