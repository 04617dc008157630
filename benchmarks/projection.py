"""The projection into a real server, beside the same points sent without a database."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import urllib3
from sqlalchemy import Engine, insert

from benchmarks import rig
from benchmarks.rig import Metric, metric, percentile
from kokubus_cli.ports import free_port
from kokubus_hub import database, models
from kokubus_hub.metrics import influx
from kokubus_hub.metrics.influx import Keep
from kokubus_hub.metrics.points import BATCH, SOURCES, Memo, Standing
from kokubus_hub.metrics.projector import NICE, Projector
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

NOW = 1_790_000_000_000
STEP_MS, SENSORS, ROOMS = 30_000, 40, 10
_CATCH_UP = "import sys; from benchmarks.projection import catch_up; catch_up(*sys.argv[1:])"


def run(quick: bool) -> list[Metric]:
    """All metrics of the bench ``projection``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(_server(folder))
        settings = Settings(data_dir=folder, influx_url=url, influx_keep_days=0)
        engine = database.engine(settings.database)
        stack.callback(engine.dispose)
        points = _outage(engine, 100_000 if quick else 400_000)
        raw = _raw(engine, url, points)
        mixed = _projected(engine, settings, points)
        alone, beside = _taps(engine, settings, 300 if quick else 1_000)
    return [
        metric("projection", "raw_points_per_s", raw, "1/s"),
        metric("projection", "points_per_s", mixed, "1/s", 20_000, most=False),
        metric("projection", "points_to_raw", mixed / raw, "ratio"),
        metric("projection", "commit_p99_ms", alone, "ms"),
        metric("projection", "commit_p99_ms_catching_up", beside, "ms", max(20.0, 3 * alone)),
    ]


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    command = ["victoria-metrics", f"-httpListenAddr={url.removeprefix('http://')}"]
    command += [f"-storageDataPath={folder / 'vm'}", "-retentionPeriod=100y"]
    command += ["-memory.allowedBytes=256MB"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        rig.wait(lambda: _answers(url), "victoria-metrics to answer")
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/health", retries=False, timeout=1.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _outage(engine: Engine, readings: int) -> int:
    """Days of readings, with an estimate for every twenty of them; how many points that makes."""
    database.migrate(engine)
    estimates = readings // 20
    with database.writing(engine) as connection:
        _furnish(connection)
        _fill(connection, models.Reading, (_reading(n) for n in range(readings)))
        _fill(connection, models.Estimate, (_estimate(n) for n in range(estimates)))
    return readings + estimates


def _furnish(connection: Any) -> None:
    def add(model: type[models.Base], **values: Any) -> None:
        connection.execute(insert(table(model)).values(**values))

    add(models.Municipality, slug="dorf", name="Dorf")
    add(models.Site, slug="dorf", name="Dorf", opening={})
    add(models.Placement, site_id=1, municipality_id=1, start=0)
    add(models.Device, site_id=1, slug="dorf-1")
    for number in range(ROOMS):
        add(models.Room, site_id=1, slug=f"dorf-{number}", name="Raum", capacity=8)
    for number in range(SENSORS):
        room, quantity = 1 + number % ROOMS, ("co2", "pir")[number % 2]
        row = {"site_id": 1, "room_id": room, "device_id": 1, "slug": f"dorf-s{number}"}
        add(models.Sensor, **row, quantity=quantity)
    row = {"site_id": 1, "room_id": 1, "device_id": 1, "slug": "dorf-door", "name": "Tür"}
    add(models.Door, **row)


def _fill(connection: Any, model: type[models.Base], rows: Iterator[dict[str, Any]]) -> None:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == 10_000:
            connection.execute(insert(table(model)), batch)
            batch = []
    if batch:
        connection.execute(insert(table(model)), batch)


def _reading(number: int) -> dict[str, Any]:
    at = NOW + number // SENSORS * STEP_MS
    return {"sensor_id": 1 + number % SENSORS, "at": at, "value": 400.0 + number % 900}


def _estimate(number: int) -> dict[str, Any]:
    row = {"room_id": 1 + number % ROOMS, "at": NOW + number // ROOMS * 300_000, "median": 3}
    row |= {"mean": 3.1, "variance": 1.2, "low": 1, "high": 5, "presence": 0.99, "capacity": 8}
    return row | {"drift": False, "weights": {}}


def _raw(engine: Engine, url: str, points: int) -> float:
    """The readings' own lines, ready made, by a bare HTTP client: what server and gzip allow."""
    source = next(one for one in SOURCES if one.name == "reading")
    with database.reading(engine) as connection:
        asked = {"after": 0, "upto": points, "most": points}
        rows, standing = connection.execute(source.query, asked).all(), Standing(connection)
    memo: Memo = {}
    lines = [source.line(row, standing, memo) for row in rows]
    pool = urllib3.PoolManager()
    began = time.perf_counter()
    for first in range(0, len(lines), BATCH):
        body = gzip.compress("\n".join(lines[first : first + BATCH]).encode())
        headers = {"Content-Encoding": "gzip"}
        answer = pool.request("POST", f"{url}/api/v2/write", body=body, headers=headers)
        assert answer.status == 204
    return len(lines) / (time.perf_counter() - began)


def _projected(engine: Engine, settings: Settings, points: int) -> float:
    """Readings and estimates from the database, condensed series included but not counted."""
    with influx.writing(settings) as write:
        began = time.perf_counter()
        written = Projector(engine, write).turn(NOW)
        took = time.perf_counter() - began
    assert written == points, f"{written} of {points}"
    return written / took


def _taps(engine: Engine, settings: Settings, count: int) -> tuple[float, float]:
    """p99 of a commit like a tap's, without and beside a catch-up in another process."""
    alone = percentile([_commit(engine) for _ in range(count)], 0.99)
    command = [sys.executable, "-c", _CATCH_UP, str(settings.data_dir), settings.influx_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        beside = [_commit(engine) for _ in range(count)]
        assert process.poll() is None, "the catch-up ended before the measurement did"
    finally:
        process.kill()
        process.wait()
    return alone, percentile(beside, 0.99)


def _commit(engine: Engine) -> float:
    began = time.perf_counter()
    with database.writing(engine) as connection:
        row = {"door_id": 1, "at": NOW, "received_at": NOW, "side": "in"}
        connection.execute(insert(table(models.Passage)).values(row))
    took = (time.perf_counter() - began) * 1000
    time.sleep(0.002)
    return took


def catch_up(folder: str, url: str) -> None:
    """What `_taps` runs beside itself: everything again and again, as kindly as the worker."""
    os.nice(NICE)
    settings = Settings(data_dir=Path(folder), influx_url=url, influx_keep_days=0)
    engine = database.engine(settings.database)
    cursors = table(models.MetricCursor)
    with influx.writing(settings) as write:
        said = False

        def telling(keep: Keep, lines: Any) -> None:
            nonlocal said
            write(keep, lines)
            if not said:
                print("catching up", flush=True)
                said = True

        while True:
            with database.writing(engine) as connection:
                connection.execute(cursors.update().values(last_id=0))
            Projector(engine, telling).turn(NOW)
