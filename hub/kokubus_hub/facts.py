"""How each kind of fact is recorded. Taps are `answer`'s; everything else is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select, update

from kokubus import messages as said
from kokubus.decision import Reason
from kokubus.occupancy import Co2, Passage, Pir, Sensor
from kokubus_hub import models
from kokubus_hub.batch import Batch, RejectedFactError
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace, DoorPlace

_ENFORCEMENT = table(models.Enforcement)
_PASSAGE = table(models.Passage)
_DOOR_EVENT = table(models.DoorEvent)
_DOOR = table(models.Door)
_READING = table(models.Reading)
_DEVICE = table(models.Device)
_POLICY = table(models.Policy)
_COMMAND = table(models.Command)
_UNSETTLED = ("sent", "started")


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
    if fact.granted and fact.reason == Reason.KEYHOLDER:
        batch.alarm("keyholder_used", device, fact.at, door_id=door.id, detail={"tap": fact.tap})
    if fact.granted and not door.has_contact:
        _passed(batch, door, fact.at, tap=fact.tap)


def passage_seen(batch: Batch, device: DevicePlace, fact: said.PassageSeen) -> None:
    """Somebody went through."""
    door = batch.door(device, fact.door)
    if fact.tap is None:
        sensor = Sensor.CONTACT
        batch.evidence += [(room, Passage(fact.at, sensor, s)) for room, s in door.ways(fact.side)]
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
    newer = (_DOOR.c.contact_at.is_(None)) | (_DOOR.c.contact_at <= fact.at)
    state = {"contact": "open" if fact.open else "closed", "contact_at": fact.at}
    calm = {} if fact.open else {"held_since": None, "forced_at": None}
    batch.connection.execute(
        update(_DOOR).where(_DOOR.c.id == door.id, newer).values(**state, **calm)
    )
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
    if not fact.open:
        batch.all_clear("door_forced", device, fact.at, door.id)


def door_forced(batch: Batch, device: DevicePlace, fact: said.DoorForced) -> None:
    """The door was opened without a right."""
    door = door_event(batch, device, fact)
    batch.set(_DOOR, door.id, forced_at=fact.at)
    batch.alarm("door_forced", device, fact.at, door_id=door.id)


def door_held(batch: Batch, device: DevicePlace, fact: said.DoorHeld) -> None:
    """The door stands open too long."""
    door = door_event(batch, device, fact)
    batch.set(_DOOR, door.id, held_since=fact.since)
    batch.alarm("door_held", device, fact.at, door_id=door.id)


def door_held_clear(batch: Batch, device: DevicePlace, fact: said.DoorHeldClear) -> None:
    """It is closed again."""
    door = door_event(batch, device, fact)
    batch.set(_DOOR, door.id, held_since=None)
    batch.all_clear("door_held", device, fact.at, door.id)


def sensors_read(batch: Batch, device: DevicePlace, fact: said.SensorsRead) -> None:
    """Readings are kept as they are; PIR and CO2 are also evidence for their room."""
    for reading in fact.readings:
        sensor = batch.places.sensors.get((device.id, reading.sensor))
        if sensor is None:
            raise RejectedFactError(
                f"{device.slug}: sensor {reading.sensor!r} is not known; apply its site TOML"
            )
        batch.add(_READING, sensor_id=sensor.id, at=reading.at, value=reading.value)
        if sensor.quantity == "co2":
            batch.evidence.append((sensor.room_id, Co2(reading.at, reading.value)))
        elif sensor.quantity == "pir":
            batch.evidence.append((sensor.room_id, Pir(reading.at, fired=reading.value > 0)))


def policy_applied(batch: Batch, device: DevicePlace, fact: said.PolicyApplied) -> None:
    """The door's own report: what it holds, and up to which change that goes."""
    number = fact.number
    issued = batch.connection.execute(
        select(_POLICY.c.change_id, _POLICY.c.sha256).where(
            _POLICY.c.device_id == device.id,
            _POLICY.c.epoch == number.epoch,
            _POLICY.c.n == number.n,
        )
    ).first()
    same = issued is not None and issued.sha256 == fact.sha256
    batch.set(
        _DEVICE,
        device.id,
        applied_epoch=number.epoch,
        applied_n=number.n,
        applied_sha256=fact.sha256,
        applied_at=fact.at,
        **({"applied_change": issued.change_id} if issued is not None and same else {}),
    )


def command_done(batch: Batch, device: DevicePlace, fact: said.CommandDone) -> None:
    """What became of a remote unlock; a late word never undoes a settled outcome."""
    del device
    if fact.outcome == "repeated":
        return
    batch.connection.execute(
        update(_COMMAND)
        .where(_COMMAND.c.id == fact.command, _COMMAND.c.outcome.in_((*_UNSETTLED, "no_answer")))
        .values(outcome=fact.outcome, outcome_at=fact.at)
    )


def device_alarmed(batch: Batch, device: DevicePlace, fact: said.DeviceAlarmed) -> None:
    """The device needs somebody, or no longer does."""
    door = batch.door(device, fact.door).id if fact.door else None
    if fact.active:
        batch.alarm(fact.alarm, device, fact.at, door_id=door, detail={"detail": fact.detail})
    else:
        batch.all_clear(fact.alarm, device, fact.at, door)


def dropped(batch: Batch, device: DevicePlace, fact: said.Dropped) -> None:
    """Facts the device had to throw away; numbers it never used are nothing to report."""
    if fact.lost != "unused":
        lost = sum(last - first + 1 for first, last in fact.ranges)
        detail = {"lost": fact.lost, "count": lost}
        batch.alarm("facts_dropped", device, fact.at, detail=detail)


def _passed(batch: Batch, door: DoorPlace, at: int, **how: Any) -> None:
    passage = {"side": None, "tap": None, "command": None, "exit_requested": False} | how
    batch.passed.append({"door_id": door.id, "at": at, "received_at": batch.now} | passage)


RECORD: dict[str, Callable[[Batch, DevicePlace, Any], object]] = {
    said.Enforced.kind: enforced,
    said.PassageSeen.kind: passage_seen,
    said.NoEntry.kind: door_event,
    said.ExitRequested.kind: door_event,
    said.ContactChanged.kind: contact_changed,
    said.DoorForced.kind: door_forced,
    said.DoorHeld.kind: door_held,
    said.DoorHeldClear.kind: door_held_clear,
    said.SensorsRead.kind: sensors_read,
    said.PolicyApplied.kind: policy_applied,
    said.CommandDone.kind: command_done,
    said.DeviceAlarmed.kind: device_alarmed,
    said.Dropped.kind: dropped,
}
