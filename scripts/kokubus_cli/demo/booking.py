"""``kokubus demo book``: book a room for a member from now on, and say when the doors have it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, select

from kokubus_cli.demo.folder import DemoError, Folder
from kokubus_hub import database, models
from kokubus_hub.bookings import delivery, service
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.models import table
from kokubus_hub.settings import Settings, load

HOURS = 2
PATIENCE_S = 3.0
STEP_S = 0.1
_BADGE, _MEMBER = table(models.Badge), table(models.Member)


def book(here: Folder, badge: str, room: str) -> list[str]:
    """What became of it, a line each; DemoError or the API's ProblemError if it cannot be."""
    settings = load({}, here.hub)
    if not (here.hub / "kokubus.db").exists():
        raise DemoError(f"{here.root}: no demo runs here; start one with scripts/demo")
    engine = database.engine(settings.database)
    try:
        now = time.time_ns() // 1_000_000
        start = datetime.fromtimestamp(now / 1000, UTC).replace(microsecond=0)
        span = (start, start + timedelta(hours=HOURS))
        with database.writing(engine) as connection:
            slug, name = _holder(connection, badge)
            wanted = Wanted(room=room, member=slug, span=span)
            made = service.make(connection, wanted, now).id
        return [
            f"Booked: {name}, {room}, for {HOURS} hours from now.",
            *_told(engine, settings, made),
        ]
    finally:
        engine.dispose()


def _holder(connection: Connection, badge: str) -> tuple[str, str]:
    wanted = select(_MEMBER.c.slug, _MEMBER.c.name).join_from(_BADGE, _MEMBER)
    row = connection.execute(wanted.where(_BADGE.c.label == badge)).one_or_none()
    if row is None:
        raise DemoError(f"{badge}: no badge of that name in the demo")
    return str(row.slug), str(row.name)


def _told(engine: Engine, settings: Settings, booking: int) -> list[str]:
    """Wait a little for the doors, then say which have it."""
    horizon_ms = settings.policy_horizon_hours * 3_600_000
    began = time.monotonic()
    while True:
        with database.reading(engine) as connection:
            row = service.by_id(connection, booking)
            now = time.time_ns() // 1_000_000
            doors = delivery.read(connection, horizon_ms, now, [booking]).of(row)
        took = time.monotonic() - began
        if took > PATIENCE_S or all(door.state == "on_the_door" for door in doors):
            return [_line(door, took) for door in doors]
        time.sleep(STEP_S)


def _line(door: delivery.Delivery, took: float) -> str:
    if door.state == "on_the_door":
        return f"  {door.door}: on the door after {took:.1f} s"
    why = "; it cannot be reached" if door.why == "offline" else "; it has not answered"
    return f"  {door.door}: not yet delivered{why}"
