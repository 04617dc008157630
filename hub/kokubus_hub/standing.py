"""What a device says of itself, outside its numbered record: online, and a wish for a policy."""

from __future__ import annotations

from kokubus.messages import DeviceStatus, PolicyWanted
from kokubus_hub import changes, cloned, models
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace

_DEVICE = table(models.Device)


def record_status(batch: Batch, device: DevicePlace, status: DeviceStatus) -> None:
    """Birth or last will.

    While a device is away nobody knows how its doors stand (`doors.service`); once it is back
    they stand as it said last, since it tells whatever changed meanwhile.
    """
    if status.online and status.boot:
        cloned.born(batch, device, status.boot)
    batch.set(
        _DEVICE,
        device.id,
        online=status.online,
        status_at=batch.now,
        boot=status.boot,
        version=status.version,
    )


def record_wish(batch: Batch, device: DevicePlace, wish: PolicyWanted) -> None:
    """`work` follows the changes and answers with what the door lacks."""
    have = f" {wish.have.epoch}.{wish.have.n}" if wish.have else ""
    changes.record(batch.connection, batch.now, f"wanted:{device.slug}{have}", device.site_id)
