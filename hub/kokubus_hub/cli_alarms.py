"""``kokubus hub alarms``: what somebody should look at, for people and for monitoring."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from sqlalchemy import select, update

from kokubus.messages import Instant
from kokubus_hub import database, models
from kokubus_hub.cli_admin import Commands, opened
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

_ALARM, _SITE, _DOOR, _DEVICE = (
    table(one) for one in (models.Alarm, models.Site, models.Door, models.Device)
)
_STANDING = (
    select(
        _ALARM.c.kind,
        _ALARM.c.at,
        _ALARM.c.detail,
        _SITE.c.slug.label("site"),
        _DOOR.c.slug.label("door"),
        _DEVICE.c.slug.label("device"),
    )
    .select_from(_ALARM.join(_SITE).outerjoin(_DOOR, _DOOR.c.id == _ALARM.c.door_id))
    .outerjoin(_DEVICE, _DEVICE.c.id == _ALARM.c.device_id)
    .where(_ALARM.c.cleared_at.is_(None))
    .order_by(_ALARM.c.at, _ALARM.c.id)
)
_LASTING = (
    "keyholder_used",
    "facts_dropped",
    "revoked_granted",
    "impossible_travel",
    "device_cloned",
    "spool_corrupt",
)
"""Kinds that report what happened once: nothing that happens later clears them."""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-command ``alarms``."""
    text = "the alarms that stand; ends with 1 if there are any"
    alarms = commands.add_parser("alarms", help=text, description=text)
    alarms.add_argument("--seen", action="store_true", help="clear those that end by no event")
    alarms.set_defaults(run=_alarms)


def _alarms(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    if given.seen:
        return _seen(settings, now)
    with opened(settings) as engine, database.reading(engine) as connection:
        standing = connection.execute(_STANDING).all()
    for row in standing:
        since = datetime.fromtimestamp(row.at / 1000, UTC).isoformat(" ", "seconds")
        about = ", ".join(f"{key} {value}" for key, value in (row.detail or {}).items())
        print(since, row.kind, row.site, row.door or row.device or "-", about, sep="\t")
    return 1 if standing else 0


def _seen(settings: Settings, now: Instant) -> int:
    wanted = update(_ALARM).where(_ALARM.c.cleared_at.is_(None), _ALARM.c.kind.in_(_LASTING))
    with opened(settings) as engine, database.writing(engine) as connection:
        cleared = connection.execute(wanted.values(cleared_at=now)).rowcount
    print(f"{cleared} cleared")
    return 0
