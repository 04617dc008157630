"""The projection: each fact one point, whatever fails in between, and nobody is in it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert
from structlog.testing import capture_logs
from tests.hub import facts
from tests.hub.policy_world import NOW, UID, World, world

from kokubus.errors import SettingsError
from kokubus.occupancy import initial
from kokubus_hub import database, models, places
from kokubus_hub.metrics import projector as metrics
from kokubus_hub.metrics import refused
from kokubus_hub.metrics.influx import CANARY, Keep, RefusedError
from kokubus_hub.metrics.projector import MINUTE_MS, Projector
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

PATIENCE_S = 20


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@dataclass
class Sink:
    """Keeps points as InfluxDB does: the same series and time overwrite."""

    lines: list[str] = field(default_factory=list)
    condensed: list[str] = field(default_factory=list)
    away: bool = False
    refuses: str = " "
    written: int = 0

    def __call__(self, keep: Keep, lines: Sequence[str]) -> None:
        self.written += 1
        if self.away:
            raise ConnectionError("nobody answers")
        if any(self.refuses.strip() and self.refuses in line for line in lines):
            raise RefusedError("422: field type conflict")
        if lines != [CANARY]:
            (self.lines if keep is Keep.SHORT else self.condensed).extend(lines)

    @property
    def points(self) -> set[tuple[str, str]]:
        return {(line.split(" ")[0], line.rsplit(" ", 1)[1]) for line in self.lines}


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


ESTIMATE = {"room_id": 1, "median": 3, "mean": 3.2, "variance": 1.5, "low": 1, "high": 6}
ESTIMATE |= {"presence": 0.9, "capacity": 8, "drift": False, "weights": {}}


def estimate(hub: World, at: int = NOW, **values: Any) -> int:
    return hub.add(models.Estimate, **(ESTIMATE | {"at": at} | values))


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


@dataclass
class Influx:
    """An HTTP server that takes points like InfluxDB 2, or refuses them."""

    url: str
    lines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    status: int = 204


@contextmanager
def influx() -> Iterator[Influx]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.asked.append(f"{self.path} {self.headers['Authorization']}")
            if found.status == 204:
                found.lines += decompress(body).decode().splitlines()
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Influx(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings(tmp_path: Path, url: str) -> Settings:
    token = tmp_path / "token"
    token.write_text("secret\n")
    return Settings(data_dir=tmp_path, influx_url=url, influx_token_file=token)


def test_rebuilding_writes_everything_again_over_http(hub: World, tmp_path: Path) -> None:
    facts.tap(hub)
    facts.passage(hub)
    with influx() as server:
        asked = settings(tmp_path, server.url)
        for _ in range(2):
            assert metrics.rebuild(hub.engine, asked, NOW) == 2
        assert (len(server.lines), len(set(server.lines))) == (4, 2)
        path, token = server.asked[0].split(" ", 1)
        assert path == "/api/v2/write?org=kokubus&bucket=kokubus&precision=ns"
        assert token == "Token secret"


def test_rebuilding_without_an_influxdb_says_which_setting(hub: World, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KOKUBUS_HUB_INFLUX_URL"):
        metrics.rebuild(hub.engine, Settings(data_dir=tmp_path), NOW)


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_an_outage_is_said_once_and_caught_up(
    hub: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "PERIOD_S", 0.01)
    monkeypatch.setattr(metrics, "LONGEST_S", 0.02)
    facts.tap(hub)
    with influx() as server, capture_logs() as logs:
        server.status = 503
        with metrics.projecting(hub.engine, settings(tmp_path, server.url), lambda: NOW):
            wait(lambda: len(server.asked) >= 5)
            server.status = 204
            wait(lambda: server.lines)
            facts.tap(hub)
            wait(lambda: len(server.lines) == 2)
    said = [entry["event"] for entry in logs]
    assert said == ["metrics_waiting", "metrics_catching_up"]
