"""How each kind of fact is recorded. Taps are `answer`'s, and what a device says of itself is
`facts_devices`'; all else is here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import bindparam, case, or_, select, update

from kokubus import messages as said
from kokubus.decision import Reason
from kokubus.occupancy import Passage, Sensor
from kokubus_hub import facts_devices, models
from kokubus_hub.batch import Batch
from kokubus_hub.doors import codes
from kokubus_hub.facts_sensors import sensors_read
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace, DoorPlace

_ENFORCEMENT = table(models.Enforcement)
_DOOR_EVENT = table(models.DoorEvent)
_DOOR = table(models.Door)
_ALARM = table(models.Alarm)
_AT: Any = bindparam("now_at")
_NEWER = or_(_DOOR.c.contact_at.is_(None), _DOOR.c.contact_at <= _AT)
_CONTACT = {
    "contact": case((_NEWER, bindparam("now_is")), else_=_DOOR.c.contact),
    "contact_at": case((_NEWER, _AT), else_=_DOOR.c.contact_at),
}
_SHUT: Any = bindparam("shut_at")
_NEVER = -1
_MOVED = (
    update(_DOOR)
    .where(_DOOR.c.id == bindparam("door"))
    .values(
        held_since=case((_DOOR.c.held_since <= _SHUT, None), else_=_DOOR.c.held_since),
        forced_at=case((_DOOR.c.forced_at <= _SHUT, None), else_=_DOOR.c.forced_at),
        **_CONTACT,
    )
)
_ENDED = (
    update(_ALARM)
    .where(
        _ALARM.c.door_id == bindparam("door"),
        # no in_(): it cannot be run for many rows at once
        or_(_ALARM.c.kind == said.DoorForced.kind, _ALARM.c.kind == said.DoorHeld.kind),
        _ALARM.c.at <= _AT,
        or_(_ALARM.c.cleared_at.is_(None), _ALARM.c.cleared_at > _AT),
    )
    .values(cleared_at=_AT)
)
_CLOSINGS = (
    select(_DOOR_EVENT.c.at, _DOOR_EVENT.c.detail)
    .where(
        _DOOR_EVENT.c.door_id == bindparam("door"),
        _DOOR_EVENT.c.kind == said.ContactChanged.kind,
        _DOOR_EVENT.c.at >= bindparam("since"),
    )
    .order_by(_DOOR_EVENT.c.at)
)


def enforced(batch: Batch, device: DevicePlace, fact: said.Enforced) -> None:
    """What the door did. At a door without a contact a grant is all that is known of entry."""
    door = batch.door(device, fact.door)
    number = fact.policy
    batch.add(
        _ENFORCEMENT,
        tap=fact.tap,
        door_id=door.id,
        at=fact.at,
        by=fact.by,
        granted=fact.granted,
        reason=fact.reason,
        policy_epoch=number.epoch if number else None,
        policy_n=number.n if number else None,
        policy_age_ms=fact.policy_age_ms,
        received_at=batch.now,
    )
    if fact.granted and fact.by is said.By.EDGE and fact.reason != Reason.FREE_PASSAGE:
        batch.granted_alone.append(fact.tap)
    if fact.granted and fact.reason == Reason.KEYHOLDER:
        about = {"door_id": door.id, "detail": {"tap": fact.tap}}
        batch.afterwards(fact.at, partial(batch.alarm, "keyholder_used", device, fact.at, **about))
    if fact.granted and not door.has_contact:
        _passed(batch, door, fact.at, tap=fact.tap)


def passage_seen(batch: Batch, device: DevicePlace, fact: said.PassageSeen) -> None:
    """Somebody went through."""
    door = batch.door(device, fact.door)
    if fact.tap is None:
        for room, way in door.ways(fact.side):
            batch.observe(room, Passage(fact.at, Sensor.CONTACT, way))
    _passed(
        batch,
        door,
        fact.at,
        side=fact.side,
        tap=fact.tap,
        command=fact.command,
        exit_requested=fact.exit_requested,
    )


def door_event(batch: Batch, device: DevicePlace, fact: Any) -> DoorPlace:
    """Any other fact of a door, as it was said."""
    door = batch.door(device, fact.door)
    since = getattr(fact, "since", None)
    batch.add(
        _DOOR_EVENT,
        door_id=door.id,
        device_id=device.id,
        kind=fact.kind,
        at=fact.at,
        received_at=batch.now,
        tap=getattr(fact, "tap", None),
        command=getattr(fact, "command", None),
        detail={"since": since} if since is not None else None,
    )
    return door


def contact_changed(batch: Batch, device: DevicePlace, fact: said.ContactChanged) -> None:
    """The leaf opened or closed; an older fact never overwrites a newer state."""
    door = batch.door(device, fact.door)
    batch.add(
        _DOOR_EVENT,
        door_id=door.id,
        device_id=device.id,
        kind=fact.kind,
        at=fact.at,
        received_at=batch.now,
        tap=None,
        command=None,
        detail={"open": fact.open},
    )
    at, now_is = batch.past(fact.at), "open" if fact.open else "closed"
    shut_at = _NEVER if fact.open else at
    batch.repeat(_MOVED, door=door.id, now_at=at, now_is=now_is, shut_at=shut_at)
    if not fact.open:
        batch.repeat(_ENDED, door=door.id, now_at=at)


def door_forced(batch: Batch, device: DevicePlace, fact: said.DoorForced) -> None:
    """The door was opened without a right."""
    door = door_event(batch, device, fact)
    at = batch.past(fact.at)
    batch.afterwards(fact.at, partial(_stands_open, batch, device, door, fact, forced_at=at))


def door_held(batch: Batch, device: DevicePlace, fact: said.DoorHeld) -> None:
    """The door stands open too long."""
    door = door_event(batch, device, fact)
    since = batch.past(fact.since)
    batch.afterwards(fact.at, partial(_stands_open, batch, device, door, fact, held_since=since))


def _stands_open(
    batch: Batch,
    device: DevicePlace,
    door: DoorPlace,
    fact: said.DoorForced | said.DoorHeld,
    **state: int,
) -> None:
    """An alarm until the leaf closes, which it may have done before this was heard of."""
    later = batch.connection.execute(_CLOSINGS, {"door": door.id, "since": fact.at})
    closed = next((batch.past(row.at) for row in later if not row.detail["open"]), None)
    about = {"door_id": door.id, "cleared_at": closed}
    batch.alarm(fact.kind, device, batch.past(fact.at), **about)
    if closed is None:
        batch.set(_DOOR, door.id, **state)


def code_tried(batch: Batch, device: DevicePlace, fact: said.CodeTried) -> None:
    """A one-time code was typed; a right one is used up, here as at the door."""
    door = batch.door(device, fact.door)
    batch.add(
        _DOOR_EVENT,
        door_id=door.id,
        device_id=device.id,
        kind=fact.kind,
        at=fact.at,
        received_at=batch.now,
        tap=None,
        command=None,
        detail={"outcome": fact.outcome, "counter": fact.counter, "side": fact.side},
    )
    if fact.counter is not None:
        codes.used(batch.connection, door.id, fact.counter, fact.at)


def _passed(batch: Batch, door: DoorPlace, at: int, **how: Any) -> None:
    passage = {"side": None, "tap": None, "command": None, "exit_requested": False} | how
    batch.passed.append(
        {"door_id": door.id, "at": at, "received_at": batch.now} | passage | batch.mark
    )


RECORD: dict[str, Callable[[Batch, DevicePlace, Any], object]] = {
    said.Enforced.kind: enforced,
    said.PassageSeen.kind: passage_seen,
    said.NoEntry.kind: door_event,
    said.ExitRequested.kind: door_event,
    said.ContactChanged.kind: contact_changed,
    said.DoorForced.kind: door_forced,
    said.DoorHeld.kind: door_held,
    said.DoorHeldClear.kind: door_event,
    said.CodeTried.kind: code_tried,
    said.SensorsRead.kind: sensors_read,
    said.PolicyApplied.kind: facts_devices.policy_applied,
    said.CommandDone.kind: facts_devices.command_done,
    said.DeviceAlarmed.kind: facts_devices.device_alarmed,
    said.Dropped.kind: facts_devices.dropped,
    said.OrderDone.kind: facts_devices.order_done,
    said.HubKeyKept.kind: facts_devices.hub_key_kept,
    said.SiteHeld.kind: facts_devices.site_held,
}
