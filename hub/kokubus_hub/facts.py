"""How each kind of fact is recorded. Taps are `answer`'s; everything else is here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import and_, bindparam, case, or_, select, update

from kokubus import messages as said
from kokubus.decision import Reason
from kokubus.occupancy import Passage, Sensor
from kokubus_hub import models
from kokubus_hub.batch import Batch
from kokubus_hub.doors import codes
from kokubus_hub.facts_sensors import sensors_read
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace, DoorPlace

_ENFORCEMENT = table(models.Enforcement)
_DOOR_EVENT = table(models.DoorEvent)
_DOOR = table(models.Door)
_DEVICE = table(models.Device)
_POLICY = table(models.Policy)
_COMMAND = table(models.Command)
_ALARM = table(models.Alarm)
_ORDER = table(models.DeviceOrder)
_OPEN_TO_CHANGE = ("sent", "started", "no_answer")
_COLUMN = 32
"""What the columns of alarm kinds and outcomes hold; a name on the wire may be longer."""
_AT: Any = bindparam("now_at")
_NEWER = or_(_DOOR.c.contact_at.is_(None), _DOOR.c.contact_at <= _AT)
_CONTACT = {
    "contact": case((_NEWER, bindparam("now_is")), else_=_DOOR.c.contact),
    "contact_at": case((_NEWER, _AT), else_=_DOOR.c.contact_at),
}
_OPENED = update(_DOOR).where(_DOOR.c.id == bindparam("door")).values(_CONTACT)
_CLOSED = _OPENED.values(
    held_since=case((_DOOR.c.held_since <= _AT, None), else_=_DOOR.c.held_since),
    forced_at=case((_DOOR.c.forced_at <= _AT, None), else_=_DOOR.c.forced_at),
)
_ENDED = (
    update(_ALARM)
    .where(
        _ALARM.c.door_id == bindparam("door"),
        _ALARM.c.kind.in_((said.DoorForced.kind, said.DoorHeld.kind)),
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
    state = {"door": door.id, "now_at": batch.past(fact.at)}
    seen = state | {"now_is": "open" if fact.open else "closed"}
    batch.connection.execute(_OPENED if fact.open else _CLOSED, seen)
    if not fact.open:
        batch.afterwards(fact.at, partial(batch.connection.execute, _ENDED, state))


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


def policy_applied(batch: Batch, device: DevicePlace, fact: said.PolicyApplied) -> None:
    """The door's own report: what it holds, and up to which change that goes.

    An older report that arrives late is judged by its number: a clock may have been set back.
    """
    number = fact.number
    issued = batch.connection.execute(
        select(_POLICY.c.change_id, _POLICY.c.sha256).where(
            _POLICY.c.device_id == device.id,
            _POLICY.c.epoch == number.epoch,
            _POLICY.c.n == number.n,
        )
    ).first()
    same = issued is not None and issued.sha256 == fact.sha256
    batch.connection.execute(
        update(_DEVICE)
        .where(_DEVICE.c.id == device.id, _not_newer(number))
        .values(
            applied_epoch=number.epoch,
            applied_n=number.n,
            applied_sha256=fact.sha256,
            applied_at=fact.at,
            **({"applied_change": issued.change_id} if issued is not None and same else {}),
        )
    )


def _not_newer(number: said.PolicyNumber) -> Any:
    epoch, n = _DEVICE.c.applied_epoch, _DEVICE.c.applied_n
    before = or_(epoch < number.epoch, and_(epoch == number.epoch, n <= number.n))
    return or_(epoch.is_(None), before)


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


def dropped(batch: Batch, device: DevicePlace, fact: said.Dropped) -> None:
    """Facts the device had to throw away; numbers it never used are nothing to report."""
    if fact.lost != "unused":
        lost = sum(last - first + 1 for first, last in fact.ranges)
        about = {"detail": {"lost": fact.lost, "count": lost}}
        act = partial(batch.alarm_once, "facts_dropped", device, fact.at, **about)
        batch.afterwards(fact.at, act)


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
    said.PolicyApplied.kind: policy_applied,
    said.CommandDone.kind: command_done,
    said.DeviceAlarmed.kind: device_alarmed,
    said.Dropped.kind: dropped,
    said.OrderDone.kind: order_done,
    said.HubKeyKept.kind: hub_key_kept,
}
