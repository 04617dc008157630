"""A year of one site once more: a room with PIR and CO2 every half minute, and its passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine, insert

from benchmarks._simulated import DAY, MONDAY, ROOMS, recorded
from kokubus.messages import Side
from kokubus.occupancy import Co2, Passage, Pir, Sensor
from kokubus_hub import changes, database, models
from kokubus_hub.bulk import insert_rows
from kokubus_hub.models import table
from kokubus_hub.occupancy.rebuild import rebuild

YEAR_DAYS = 365
WEEK_DAYS = 7
OPENING = {day: ["07:30-19:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


def replay_s(days: int, times: int) -> float:
    """Seconds for a year, from what ``days`` of it took at best: the rest is other programs."""
    with TemporaryDirectory() as folder:
        engine = database.engine(database.sqlite_url(Path(folder) / "hub.db"))
        try:
            database.migrate(engine)
            with database.writing(engine) as connection:
                _furnish(connection)
                for week in range(-(-days // WEEK_DAYS)):
                    _fill(connection, week)
            return min(_rebuilt_s(engine, days) for _ in range(times)) * YEAR_DAYS / days
        finally:
            engine.dispose()


def _rebuilt_s(engine: Engine, days: int) -> float:
    began = perf_counter()
    (done,) = rebuild(engine, MONDAY + days * DAY)
    taken = perf_counter() - began
    assert done.estimates >= days * 280, "every five minutes of every day"
    return taken


def _furnish(connection: Connection) -> None:
    room = ROOMS[1]
    _add(connection, models.Site, slug="dorf", name="Dorf", opening=OPENING, timezone="UTC")
    place = {"capacity": room.capacity, "volume_m3": room.volume_m3}
    _add(connection, models.Room, site_id=1, slug="dorf-hall", name="Saal", **place)
    _add(connection, models.Device, site_id=1, slug="dorf-1")
    _add(connection, models.Door, site_id=1, slug="dorf-front", name="Tür", device_id=1, room_id=1)
    for slug, quantity in (("dorf-co2", "co2"), ("dorf-pir", "pir")):
        row = {"site_id": 1, "room_id": 1, "device_id": 1, "slug": slug}
        _add(connection, models.Sensor, **row, quantity=quantity)
    changes.record(connection, MONDAY, "bench")


def _add(connection: Connection, model: type[models.Base], **values: Any) -> None:
    connection.execute(insert(table(model)).values(values))


def _fill(connection: Connection, week: int) -> None:
    shift = week * WEEK_DAYS * DAY
    evidence = recorded(ROOMS[1], WEEK_DAYS, week).evidence
    insert_rows(connection, table(models.Reading), list(_readings(evidence, shift)))
    passages = [
        {
            "door_id": 1,
            "at": one.at + shift,
            "received_at": one.at + shift,
            "side": str(one.side or Side.IN),
            "tap": f"t{week}-{number}",
            "command": None,
        }
        for number, one in enumerate(evidence)
        if isinstance(one, Passage) and one.sensor is Sensor.BADGE
    ]
    insert_rows(connection, table(models.Passage), passages)


def _readings(evidence: Any, shift: int) -> Iterator[dict[str, Any]]:
    for one in evidence:
        if isinstance(one, Co2):
            yield {"sensor_id": 1, "at": one.at + shift, "value": one.ppm}
        elif isinstance(one, Pir):
            yield {"sensor_id": 2, "at": one.at + shift, "value": float(one.fired)}
