"""The projection to InfluxDB: from durable cursors, nothing lost and nothing twice.

A batch is written first and its cursor moved after, so a crash in between writes the same points
over themselves. While InfluxDB is away the cursors stay where they are; a point it refuses is set
aside with its reason and holds nothing up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Thread
from typing import Any

import structlog
from sqlalchemy import Engine, insert, select, update

from kokubus.messages import Instant
from kokubus_hub import models, places
from kokubus_hub.counting import Counting
from kokubus_hub.database import reading, writing
from kokubus_hub.metrics import influx, refused
from kokubus_hub.metrics.condensing import CONDENSED, Condensed, Usual
from kokubus_hub.metrics.influx import Keep, Write
from kokubus_hub.metrics.lines import SPOILT, made
from kokubus_hub.metrics.points import BATCH, SOURCES, Memo, Source, Standing, devices, sampled
from kokubus_hub.metrics.progress import cursor
from kokubus_hub.metrics.settling import Settling
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

PERIOD_S, LONGEST_S = 5.0, 60.0
NICE = 10
MINUTE_MS, DAY_MS = 60_000, 86_400_000

_CURSOR = table(models.MetricCursor)
log = structlog.get_logger()


class Projector:
    """Moves rows to ``write``; whatever that raises ends the turn, cursors as they were.

    Rows older than ``keep_days`` are left out (0: none are): InfluxDB would drop them.
    """

    def __init__(
        self,
        engine: Engine,
        write: Write,
        *,
        keep_days: int = 0,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._write = write
        self._keep_ms = keep_days * DAY_MS
        self._stopped = stopped
        self._counting = Counting()
        self._sampled: Instant = -1
        self._settling = {source.name: Settling(source.name) for source in SOURCES}

    def turn(self, now: Instant) -> int:
        """Project what is new; how many points that were. A batch of each source at a time, so
        that after days of outage no kind of fact waits for all of another."""
        written = self._sample(now)
        left = {source: self._upto(source) for source in SOURCES}
        while left:
            for source in list(left):
                if self._stopped():
                    return written
                after, rows = self._batch(source, left[source])
                written += self._project(source, after, rows, now)
                if len(rows) < BATCH:
                    del left[source]
        return written

    def _upto(self, source: Source) -> int:
        with reading(self._engine) as connection:
            return self._settling[source.name].upto(connection)

    def _batch(self, source: Source, upto: int) -> tuple[int, Sequence[Any]]:
        with reading(self._engine) as connection:
            after = cursor(connection, source.name)
            asked = {"after": after, "upto": upto, "most": BATCH}
            return after, connection.execute(source.query, asked).all()

    def _project(self, source: Source, after: int, rows: Sequence[Any], now: Instant) -> int:
        if not rows:
            return 0
        with reading(self._engine) as connection:
            standing = Standing(connection)
        ids, lines, reasons = self._lines(source, rows, standing, now)
        if lines:
            spoilt = influx.around(self._write, Keep.SHORT, lines)
            reasons |= {ids[place]: reason for place, reason in spoilt.items()}
        for how in CONDENSED.get(source.name, ()):
            self._condense(how, rows, standing)
        self._move(source.name, (after, rows[-1].id), reasons, now)
        return len(rows) - len(reasons)

    def _lines(
        self, source: Source, rows: Sequence[Any], standing: Standing, now: Instant
    ) -> tuple[list[int], list[str], dict[int, str]]:
        """The rows' points, each beside its row's id; and why some have none."""
        oldest = now - self._keep_ms if self._keep_ms else 0
        ids, lines, reasons = [], [], {}
        memo: Memo = {}
        for row in rows:
            if row.at < oldest:
                continue
            try:
                lines.append(source.line(row, standing, memo))
                ids.append(row.id)
            except SPOILT as error:
                reasons[row.id] = str(error)
        return ids, lines, reasons

    def _condense(self, how: Condensed | Usual, rows: Sequence[Any], standing: Standing) -> None:
        with reading(self._engine) as connection:
            lines, reasons = how.lines(connection, rows, standing)
        self._all_but_spoilt(Keep.LONG, lines, reasons)

    def _all_but_spoilt(self, keep: Keep, lines: list[str], reasons: list[str]) -> None:
        """Points without a row of their own: the next that is made of theirs tries again."""
        if lines:  # none where a late fact has already taken the rows' place
            reasons = [*reasons, *influx.around(self._write, keep, lines).values()]
        if reasons:
            log.warning("metrics_set_aside", keep=str(keep), reason=reasons[0], points=len(reasons))

    def _sample(self, now: Instant) -> int:
        """What is believed this minute; nothing of it is missed where it cannot be written."""
        minute = now - now % MINUTE_MS
        if minute == self._sampled:
            return 0
        with reading(self._engine) as connection:
            known, standing = places.current(connection, None), Standing(connection)
            crowds = self._counting.crowds(connection, minute)
            lines = devices(connection, standing, minute)
        rooms = [known.rooms[room_id] for room_id in crowds]
        believed, reasons = made(
            partial(
                sampled,
                room,
                known.sites[room.site_id].slug,
                crowds[room.id],
                standing.at(room.site_id, minute),
                minute,
            )
            for room in rooms
        )
        self._all_but_spoilt(Keep.SHORT, lines + believed, reasons)
        self._sampled = minute
        return len(lines) + len(believed)

    def _move(
        self, name: str, step: tuple[int, int], reasons: dict[int, str], now: Instant
    ) -> None:
        """From the first id to the second, unless `rebuild` has moved the cursor meanwhile."""
        after, upto = step
        with writing(self._engine) as connection:
            refused.keep(connection, name, reasons, now)
            of_name = _CURSOR.c.name == name
            if connection.execute(select(_CURSOR.c.name).where(of_name)).first() is None:
                connection.execute(insert(_CURSOR).values(name=name, last_id=0))
            moved = update(_CURSOR).where(of_name, _CURSOR.c.last_id == after)
            connection.execute(moved.values(last_id=upto))
        if reasons:
            log.warning("metrics_set_aside", source=name, points=len(reasons))


@contextmanager
def projecting(engine: Engine, settings: Settings, now: Callable[[], Instant]) -> Iterator[None]:
    """Project in a thread for as long as the context lasts."""
    stop = Event()
    with influx.writing(settings) as write:
        days = settings.influx_keep_days
        projector = Projector(engine, write, keep_days=days, stopped=stop.is_set)
        thread = Thread(target=_loop, args=(projector, now, stop), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def rebuild(engine: Engine, settings: Settings, now: Instant) -> int:
    """Project everything once more; how many points that were. SettingsError without an URL."""
    with influx.writing(settings) as write:
        with writing(engine) as connection:
            refused.forget_all(connection)
            connection.execute(update(_CURSOR).values(last_id=0))
        return Projector(engine, write, keep_days=settings.influx_keep_days).turn(now)


def _loop(projector: Projector, now: Callable[[], Instant], stop: Event) -> None:
    with suppress(OSError):  # days of outage are caught up on what the doors leave over
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
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
