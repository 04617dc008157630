"""What a device says of itself, outside its numbered record: online, and a wish for a policy."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from kokubus.messages import DeviceStatus, PolicyWanted
from kokubus_hub import changes, models
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace

_DEVICE, _DOOR = table(models.Device), table(models.Door)
_BOOT = table(models.DeviceBoot)
CLONED = "device_cloned"


def record_status(batch: Batch, device: DevicePlace, status: DeviceStatus) -> None:
    """Birth or last will. While a device is away, nobody knows how its doors stand."""
    if status.online and status.boot:
        _boot(batch, device, status.boot)
    batch.set(
        _DEVICE,
        device.id,
        online=status.online,
        status_at=batch.now,
        boot=status.boot,
        version=status.version,
    )
    if not status.online:
        batch.connection.execute(
            update(_DOOR).where(_DOOR.c.device_id == device.id).values(contact=None)
        )


def _boot(batch: Batch, device: DevicePlace, boot: str) -> None:
    """No machine returns to a boot it has left: if one seems to, its card runs in two of them."""
    connection, mine = batch.connection, _BOOT.c.device_id == device.id
    last = connection.execute(
        select(_BOOT.c.boot).where(mine).order_by(_BOOT.c.at.desc(), _BOOT.c.id.desc()).limit(1)
    ).scalar()
    if boot == last:
        return
    known = connection.execute(select(_BOOT.c.id).where(mine, _BOOT.c.boot == boot)).scalar()
    if known is None:
        row = {"device_id": device.id, "boot": boot, "at": batch.now}
        connection.execute(insert(_BOOT).values(row))
        return
    connection.execute(update(_BOOT).where(_BOOT.c.id == known).values(at=batch.now))
    batch.alarm_once(CLONED, device, batch.now, detail={"boots": [last, boot]})


def record_wish(batch: Batch, device: DevicePlace, wish: PolicyWanted) -> None:
    """`work` follows the changes and answers with what the door lacks."""
    have = f" {wish.have.epoch}.{wish.have.n}" if wish.have else ""
    changes.record(batch.connection, batch.now, f"wanted:{device.slug}{have}", device.site_id)
