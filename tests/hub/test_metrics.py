"""The projection: each fact one point, whatever fails in between, and nobody is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert
from tests.hub import facts
from tests.hub.metric_sink import Sink
from tests.hub.policy_world import NOW, UID, World, world

from kokubus_hub import database, models
from kokubus_hub.metrics.projector import Projector
from kokubus_hub.models import table


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_every_kind_of_fact_is_a_point_with_its_place(hub: World) -> None:
    hub.add(models.Placement, site_id=1, municipality_id=1, start=0, end=None)
    facts.tap(hub)
    facts.enforced(hub)
    facts.passage(hub, side="in")
    facts.forced(hub)
    facts.reading(hub, facts.sensor(hub), 612.5)
    sink = Sink()
    assert Projector(hub.engine, sink).turn(NOW) == 5
    at, place = NOW * 1_000_000 + 1, "municipality=dorf"
    assert sorted(sink.lines) == [
        f"door_event,door=dorf-front,kind=door_forced,{place},site=dorf count=1i {at}",
        f"enforced,by=hub,door=dorf-front,granted=true,{place},reason=booked,site=dorf "
        f"count=1i,policy_age_ms=0i {at}",
        f"passage,door=dorf-front,{place},side=in,site=dorf count=1i {at}",
        f"reading,{place},quantity=co2,room=dorf-hall,sensor=dorf-co2,site=dorf value=612.5 {at}",
        f"tap,door=dorf-front,granted=true,{place},reason=booked,side=in,site=dorf "
        f"count=1i,late=0i,answered_ms=5i {at}",
    ]


def test_two_members_in_the_same_millisecond_are_two_points(hub: World) -> None:
    facts.tap(hub)
    facts.tap(hub)
    sink = Sink()
    Projector(hub.engine, sink).turn(NOW)
    assert len(sink.points) == 2


def test_the_same_fact_is_projected_once(hub: World) -> None:
    facts.tap(hub)
    sink = Sink()
    projector = Projector(hub.engine, sink)
    assert [projector.turn(NOW), projector.turn(NOW)] == [1, 0]
    assert Projector(hub.engine, sink).turn(NOW) == 0, "the cursor is durable"
    facts.tap(hub)
    assert projector.turn(NOW) == 1


def test_what_a_crash_left_is_written_over_itself(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts.tap(hub)
    sink = Sink()
    with monkeypatch.context() as broken:
        broken.setattr(Projector, "_move", crash)
        with pytest.raises(MemoryError):
            Projector(hub.engine, sink).turn(NOW)
    assert Projector(hub.engine, sink).turn(NOW) == 1
    assert (len(sink.lines), len(sink.points)) == (2, 1)


def crash(*_: object) -> None:
    raise MemoryError


def test_while_influxdb_is_away_the_cursor_stays(hub: World) -> None:
    facts.tap(hub)
    sink = Sink(away=True)
    projector = Projector(hub.engine, sink)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            projector.turn(NOW)
    sink.away = False
    facts.tap(hub)
    assert projector.turn(NOW) == 2


def test_more_than_one_batch_is_one_turn(hub: World) -> None:
    hub_sensor = facts.sensor(hub)
    rows = [{"sensor_id": hub_sensor, "at": NOW, "value": 1.0}] * 12_000
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Reading)), rows)
    sink = Sink()
    assert Projector(hub.engine, sink).turn(NOW) == 12_000
    assert len(sink.points) == 12_000


def test_figures_stay_with_the_place_the_container_stood_in(hub: World) -> None:
    stadt = hub.add(models.Municipality, slug="stadt", name="Stadt")
    hub.add(models.Placement, site_id=1, municipality_id=1, start=0, end=NOW - 100)
    hub.add(models.Placement, site_id=1, municipality_id=stadt, start=NOW, end=None)
    for at in (NOW - 101, NOW - 100, NOW - 1, NOW):
        facts.passage(hub, at)
    sink = Sink()
    Projector(hub.engine, sink).turn(NOW)
    found = [line.split("municipality=")[1].split(",")[0] for line in sink.lines]
    assert found == ["dorf", "in-transit", "in-transit", "stadt"]


def test_nobody_is_in_it(hub: World) -> None:
    member = hub.member(UID)
    facts.tap(hub, member_id=member, badge_id=1, right="b1")
    facts.passage(hub, member_id=member)
    sink = Sink()
    Projector(hub.engine, sink).turn(NOW)
    text = "\n".join(sink.lines)
    assert UID not in text
    assert "m-" not in text
    assert "Somebody" not in text


def test_a_tap_at_a_door_nobody_knows_holds_nothing_up(hub: World) -> None:
    facts.tap(hub, door_id=None)
    facts.tap(hub)
    sink = Sink()
    projector = Projector(hub.engine, sink)
    assert [projector.turn(NOW), projector.turn(NOW)] == [1, 0]


def test_a_tap_the_hub_did_not_decide_has_no_answer(hub: World) -> None:
    facts.tap(hub, granted=None, reason=None, decided_at=None, late=True)
    sink = Sink()
    Projector(hub.engine, sink).turn(NOW)
    assert "late=1i" in sink.lines[0]
    assert "granted" not in sink.lines[0]
