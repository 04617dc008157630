"""The projection to InfluxDB 2: from durable cursors, nothing lost and nothing twice.

A batch is written first and its cursor moved after, so a crash in between writes the same points
over themselves. While InfluxDB is away the cursors stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import structlog
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from sqlalchemy import Connection, Engine, func, insert, select, update

from kokubus.errors import SettingsError
from kokubus.messages import Instant
from kokubus_hub import models, places
from kokubus_hub.counting import Counting
from kokubus_hub.database import reading, writing
from kokubus_hub.metric_points import BATCH, SOURCES, Point, Source, Standing, occupancy, stamped
from kokubus_hub.models import Base, table
from kokubus_hub.settings import Settings, secret_in

PERIOD_S, LONGEST_S = 5.0, 60.0
SAMPLE_MS = 60_000
TIMEOUT_MS = 10_000

_CURSOR = table(models.MetricCursor)
log = structlog.get_logger()
Write = Callable[[Sequence[Point]], None]


class Projector:
    """Moves rows to ``write``; whatever that raises ends the turn, cursors as they were."""

    def __init__(self, engine: Engine, write: Write) -> None:
        self._engine = engine
        self._write = write
        self._settled: dict[str, int] = {}
        self._counting = Counting()
        self._sampled = -1

    def turn(self, now: Instant) -> int:
        """Project what is new; how many points that were."""
        return sum(self._follow(source) for source in SOURCES) + self._sample(now)

    def _follow(self, source: Source) -> int:
        written = 0
        with reading(self._engine) as connection:
            upto = self._upto(connection, source.name)
        while True:
            with reading(self._engine) as connection:
                after = _cursor(connection, source.name)
                rows = connection.execute(source.query, {"after": after, "upto": upto}).all()
                standing = Standing(connection) if rows else None
            if not rows or standing is None:
                return written
            self._write([stamped(source.point(row), row, standing) for row in rows])
            self._move(source.name, after, rows[-1].id)
            written += len(rows)
            if len(rows) < BATCH:
                return written

    def _upto(self, connection: Connection, name: str) -> int:
        """Below which id no row can still appear.

        SQLite has one writer. On PostgreSQL a lower id may become visible after a higher one,
        so what was the highest one turn ago is taken: a listener's transaction is shorter.
        """
        column = Base.metadata.tables[name].c.id
        highest = connection.execute(select(func.coalesce(func.max(column), 0))).scalar_one()
        before = self._settled.get(name, 0)
        self._settled[name] = highest
        return int(highest if connection.dialect.name == "sqlite" else before)

    def _move(self, name: str, after: int, upto: int) -> None:
        """Unless `rebuild` has moved it meanwhile."""
        with writing(self._engine) as connection:
            of_name = _CURSOR.c.name == name
            if connection.execute(select(_CURSOR.c.name).where(of_name)).first() is None:
                connection.execute(insert(_CURSOR).values(name=name, last_id=0))
            moved = update(_CURSOR).where(of_name, _CURSOR.c.last_id == after)
            connection.execute(moved.values(last_id=upto))

    def _sample(self, now: Instant) -> int:
        """The beliefs, once a minute."""
        minute = now - now % SAMPLE_MS
        if minute == self._sampled:
            return 0
        points = self._beliefs(minute)
        if points:
            self._write(points)
        self._sampled = minute
        return len(points)

    def _beliefs(self, minute: Instant) -> list[Point]:
        with reading(self._engine) as connection:
            known = places.current(connection, None)
            standing = Standing(connection)
            crowds = self._counting.crowds(connection, minute)
        points = []
        for room_id, crowd in crowds.items():
            room = known.rooms[room_id]
            site = known.sites[room.site_id]
            stands = standing.at(site.id, minute)
            points.append(occupancy(room, site.slug, crowd, stands, minute))
        return points


@contextmanager
def projecting(engine: Engine, settings: Settings, now: Callable[[], Instant]) -> Iterator[None]:
    """Project in a thread for as long as the context lasts."""
    stop = Event()
    with _influx(settings) as write:
        projector = Projector(engine, write)
        thread = Thread(target=_loop, args=(projector, now, stop), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def rebuild(engine: Engine, settings: Settings, now: Instant) -> int:
    """Project everything once more; how many points that were. SettingsError without an URL."""
    with writing(engine) as connection:
        connection.execute(update(_CURSOR).values(last_id=0))
    with _influx(settings) as write:
        projector = Projector(engine, write)
        first = projector.turn(now)
        return first + projector.turn(now)  # what PostgreSQL had not settled at the first


def _cursor(connection: Connection, name: str) -> int:
    query = select(_CURSOR.c.last_id).where(_CURSOR.c.name == name)
    return int(connection.execute(query).scalar() or 0)


def _loop(projector: Projector, now: Callable[[], Instant], stop: Event) -> None:
    pause = PERIOD_S
    while not stop.wait(0 if pause == PERIOD_S else pause):
        try:
            projector.turn(now())
        except Exception as error:  # InfluxDB, its network or ours: the cursor knows where we were
            if pause == PERIOD_S:
                log.warning("metrics_waiting", error=str(error)[:300])
            pause = min(2 * pause, LONGEST_S)
            continue
        if pause != PERIOD_S:
            log.info("metrics_catching_up")
        pause = PERIOD_S
        stop.wait(PERIOD_S)


@contextmanager
def _influx(settings: Settings) -> Iterator[Write]:
    if not settings.influx_url:
        raise SettingsError("KOKUBUS_HUB_INFLUX_URL: not set, so there is no InfluxDB to fill")
    file = settings.influx_token_file
    token = secret_in(file, "influx_token_file") if file else ""
    client = InfluxDBClient(
        settings.influx_url,
        token=token,
        org=settings.influx_org,
        timeout=TIMEOUT_MS,
        enable_gzip=True,
    )
    with client, client.write_api(write_options=SYNCHRONOUS) as api:

        def write(points: Sequence[Point]) -> None:
            api.write(settings.influx_bucket, record=list(points))

        yield write
