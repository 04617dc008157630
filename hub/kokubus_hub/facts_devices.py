"""How facts about a device itself are recorded: policies, commands, orders, keys, alarms."""

from __future__ import annotations

from functools import partial

from sqlalchemy import update

from kokubus import messages as said
from kokubus_hub import issuing, models
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace

_DEVICE = table(models.Device)
_COMMAND = table(models.Command)
_ORDER = table(models.DeviceOrder)
_OPEN_TO_CHANGE = ("sent", "started", "no_answer")
_COLUMN = 32
"""What the columns of alarm kinds and outcomes hold; a name on the wire may be longer."""


def policy_applied(batch: Batch, device: DevicePlace, fact: said.PolicyApplied) -> None:
    """The door's own report: what it holds, and up to which change that goes."""
    issuing.reported(batch.connection, device.id, fact)


def command_done(batch: Batch, device: DevicePlace, fact: said.CommandDone) -> None:
    """What became of a remote unlock; a late word never undoes a settled outcome."""
    if fact.outcome == "repeated":
        return
    doors = [door.id for door in batch.places.doors.values() if door.device_id == device.id]
    batch.connection.execute(
        update(_COMMAND)
        .where(
            _COMMAND.c.id == fact.command,
            _COMMAND.c.door_id.in_(doors),
            _COMMAND.c.outcome.in_(_OPEN_TO_CHANGE),
        )
        .values(outcome=fact.outcome[:_COLUMN], outcome_at=fact.at)
    )


def device_alarmed(batch: Batch, device: DevicePlace, fact: said.DeviceAlarmed) -> None:
    """The device needs somebody, or no longer does."""
    door = batch.door(device, fact.door).id if fact.door else None
    kind, at = fact.alarm[:_COLUMN], batch.past(fact.at)
    if fact.active:
        about = {"door_id": door, "detail": {"detail": fact.detail}}
        act = partial(batch.alarm_once, kind, device, at, **about)
    else:
        act = partial(batch.all_clear, kind, device, at, door)
    batch.afterwards(fact.at, act)


def order_done(batch: Batch, device: DevicePlace, fact: said.OrderDone) -> None:
    """What became of an order to the device; `started` is no last word, and only the first is."""
    if fact.outcome == "repeated":
        return
    batch.connection.execute(
        update(_ORDER)
        .where(
            _ORDER.c.id == fact.order,
            _ORDER.c.device_id == device.id,
            _ORDER.c.outcome.in_(("sent", "started", "no_answer")),
        )
        .values(outcome=fact.outcome[:_COLUMN], outcome_at=batch.now, report=fact.report)
    )


def hub_key_kept(batch: Batch, device: DevicePlace, fact: said.HubKeyKept) -> None:
    """The device believes the hub's next signing key."""
    batch.set(_DEVICE, device.id, kid=fact.kid[:16])


def site_held(batch: Batch, device: DevicePlace, fact: said.SiteHeld) -> None:
    """By which file of its site the device runs."""
    batch.set(_DEVICE, device.id, site_number=fact.number, site_sha256=fact.sha256)


def dropped(batch: Batch, device: DevicePlace, fact: said.Dropped) -> None:
    """Facts the device had to throw away; numbers it never used are nothing to report."""
    if fact.lost != "unused":
        lost = sum(last - first + 1 for first, last in fact.ranges)
        about = {"detail": {"lost": fact.lost, "count": lost}}
        act = partial(batch.alarm_once, "facts_dropped", device, fact.at, **about)
        batch.afterwards(fact.at, act)
