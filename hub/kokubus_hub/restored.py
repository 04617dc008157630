"""After the database was restored from a backup.

Doors hold policies that the database has forgotten, and take none with a lower number. So every
policy is issued anew in an epoch above whatever a door may hold.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from kokubus.hotp import LOOK_AHEAD
from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.models import table

SETTING = "policy_epoch"
ALARM = "policy_ahead"
_POLICY, _DEVICE, _SETTING = table(models.Policy), table(models.Device), table(models.Setting)
_DOOR, _ALARM = table(models.Door), table(models.Alarm)
_MINUTE_MS = 60_000


def begin_epoch(connection: Connection, now: Instant) -> int:
    """Raise the epoch of all policies, in the caller's writing transaction; the new one.

    It is at least the number of the current minute: a database that is restored twice from the
    same backup must not come to the same epoch twice.
    """
    known = [
        connection.execute(select(func.max(column))).scalar() or 0
        for column in (_POLICY.c.epoch, _DEVICE.c.applied_epoch)
    ]
    said = connection.execute(select(_SETTING.c.value).where(_SETTING.c.key == SETTING)).scalar()
    epoch = max(1 + max(*known, int(said or 1)), now // _MINUTE_MS)
    connection.execute(delete(_SETTING).where(_SETTING.c.key == SETTING))
    connection.execute(insert(_SETTING).values(key=SETTING, value=str(epoch)))
    skipped = _DOOR.c.code_counter + LOOK_AHEAD // 2  # codes used since the backup open no door
    connection.execute(update(_DOOR).values(code_counter=skipped))
    changes.record(connection, now, f"restored: epoch {epoch}")
    said = update(_ALARM).where(_ALARM.c.kind == ALARM, _ALARM.c.cleared_at.is_(None))
    connection.execute(said.values(cleared_at=now))
    return epoch


def unsaid(connection: Connection, device: int, now: Instant) -> None:
    """An alarm: this device holds rights that the database has forgotten.

    It stands until `begin_epoch`: the door is given later rights all the same, but what else the
    database has lost nobody has been asked about.
    """
    standing = (
        _ALARM.c.kind == ALARM,
        _ALARM.c.device_id == device,
        _ALARM.c.cleared_at.is_(None),
    )
    if connection.execute(select(_ALARM.c.id).where(*standing)).first() is None:
        site = select(_DEVICE.c.site_id).where(_DEVICE.c.id == device).scalar_subquery()
        row = {"kind": ALARM, "device_id": device, "site_id": site, "at": now}
        connection.execute(insert(_ALARM).values(row))
