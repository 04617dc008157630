"""A card that was copied: two machines with one identity and one record.

While both are on, each throws the other out of the broker, and boots alternate. While they take
turns, the second one gives numbers that the first has used already: such a tap is new although
its number is not, and it is kept for somebody to judge, since the record has its place taken.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import insert, select, update

from kokubus import wire
from kokubus_hub import models
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace

if TYPE_CHECKING:
    from kokubus_hub.sorting import Repeated

ALARM = "device_cloned"
NEAR_MS = 30 * 86_400_000
_BOOT, _EVENT, _DEAD = table(models.DeviceBoot), table(models.AccessEvent), table(models.DeadLetter)
log = structlog.get_logger()


def born(batch: Batch, device: DevicePlace, boot: str) -> None:
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
    batch.alarm_once(ALARM, device, batch.now, detail={"boots": [last, boot]})


def look(batch: Batch, repeated: Iterable[Repeated], stored: Container[str]) -> None:
    """Taps whose number came before: were they the same taps?"""
    for one in repeated:
        if one.tap.id not in stored and _taken(batch, one):
            _keep(batch, one)


def _taken(batch: Batch, one: Repeated) -> bool:
    """Whether another tap has this one's number; ``at`` bounds it, which has an index."""
    device, at = batch.places.devices[one.device], one.tap.at
    found = batch.connection.execute(
        select(_EVENT.c.id).where(
            _EVENT.c.at.between(at - NEAR_MS, at + NEAR_MS),
            _EVENT.c.device_id == device.id,
            _EVENT.c.epoch == one.stamp.epoch,
            _EVENT.c.seq == one.stamp.seq,
            _EVENT.c.tap != one.tap.id,
        )
    )
    return found.first() is not None


def _keep(batch: Batch, one: Repeated) -> None:
    log.warning("number_used_twice", device=one.device, seq=one.stamp.seq)
    row = {
        "device": one.device,
        "topic": wire.up_topic(one.device, one.tap.kind),
        "payload": wire.encode_up(one.tap, one.stamp),
        "error": "its number belongs to another tap: this device's card was copied",
        "received_at": batch.now,
    }
    batch.connection.execute(insert(_DEAD).values(row))
    device = batch.places.devices[one.device]
    batch.alarm_once(ALARM, device, batch.now, detail={"seq": one.stamp.seq})
