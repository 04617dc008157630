"""When things happened at a device that did not know the time.

A device stamps every fact with the boot it ran in and the uptime, which never steps. As soon as
one fact of a boot carries a time that can be believed, that boot's beginning is known, and with
it the time of all its facts: those recorded before are put right, those that come later as
they come. Uptime grows with every fact, so their order stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.messages import Clock, Instant, Reading, Stamp
from kokubus_hub import models
from kokubus_hub.batch import MARKED, Batch, Untimed
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace

_BOOT, _EVENT, _ALARM = table(models.Boot), table(models.AccessEvent), table(models.Alarm)
_BELIEF, _ROOM = table(models.Belief), table(models.Room)
_READING, _PASSAGE = table(models.Reading), table(models.Passage)
_INSERT = {
    "sqlite": sqlite.insert(_BOOT).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_BOOT).on_conflict_do_nothing(),
}


@dataclass(frozen=True, slots=True)
class _Known:
    row: int
    began: Instant | None


class Boots:
    """One listener's memory of boots; `forget` it after a rollback."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], _Known] = {}
        self._learned: list[tuple[DevicePlace, str, _Known]] = []

    def timed(self, batch: Batch, device: DevicePlace, fact: Any, stamp: Stamp) -> Any:
        """The fact with the best time known for it; what cannot be timed yet is marked.

        The mark (`Batch.untimed`) is on every row written for this fact.
        """
        batch.untimed = None
        trusted = stamp.clock is not Clock.UNTRUSTED
        key = (device.id, stamp.boot)
        known = self._known.get(key)
        if known is None or (trusted and known.began is None):
            began = fact.at - stamp.uptime_ms if trusted else None
            known = self._known[key] = self._learn(batch, device, stamp.boot, began)
        if trusted:
            return fact
        if known.began is not None:
            return _moved(fact, known.began + stamp.uptime_ms - fact.at)
        batch.untimed = Untimed(known.row, stamp.uptime_ms)
        return fact

    def settle(self, batch: Batch) -> None:
        """Put right what was recorded of boots whose beginning this batch has told."""
        for device, boot, known in self._learned:
            _put_right(batch.connection, device, boot, known)
        self._learned.clear()

    def forget(self) -> None:
        """What is in memory is no longer what the database holds."""
        self._known.clear()
        self._learned.clear()

    def _learn(self, batch: Batch, device: DevicePlace, boot: str, began: Instant | None) -> _Known:
        row = _row(batch.connection, device, boot, began)
        if row.began_at is not None or began is None:
            return _Known(row.id, row.began_at)
        told = update(_BOOT).where(_BOOT.c.id == row.id).values(began_at=began)
        batch.connection.execute(told)
        known = _Known(row.id, began)
        self._learned.append((device, boot, known))
        return known


def _row(connection: Connection, device: DevicePlace, boot: str, began: Instant | None) -> Any:
    """The boot's row, made if there is none."""
    this = select(_BOOT).where(_BOOT.c.device_id == device.id, _BOOT.c.boot == boot)
    row = connection.execute(this).first()
    if row is None:
        first = {"device_id": device.id, "boot": boot, "began_at": began}
        connection.execute(_INSERT[connection.dialect.name], first)
        row = connection.execute(this).one()
    return row


def _moved(fact: Any, by: int) -> Any:
    """The fact and all instants in it, so much later."""
    moved: dict[str, Any] = {"at": max(0, fact.at + by)}
    if hasattr(fact, "since"):
        moved["since"] = max(0, fact.since + by)
    if hasattr(fact, "readings"):
        moved["readings"] = tuple(_later(reading, by) for reading in fact.readings)
    return replace(fact, **moved)


def _later(reading: Reading, by: int) -> Reading:
    return replace(reading, at=max(0, reading.at + by))


def _put_right(connection: Connection, device: DevicePlace, boot: str, known: _Known) -> None:
    """Give everything that was recorded of a boot its time."""
    row, began = known.row, known.began or 0
    earliest = _earliest(connection, row)
    for target in MARKED:
        these = update(target).where(target.c.untimed_boot == row)
        connection.execute(these.values(at=began + target.c.untimed_ms, untimed_boot=None))
    taps = (_EVENT.c.device_id == device.id, _EVENT.c.boot == boot)
    untrusted = _EVENT.c.clock == Clock.UNTRUSTED
    connection.execute(update(_EVENT).where(*taps, untrusted).values(at=began + _EVENT.c.uptime_ms))
    raised = began + _ALARM.c.untimed_ms
    cleared = case((_ALARM.c.cleared_at < raised, raised), else_=_ALARM.c.cleared_at)
    alarms = update(_ALARM).where(_ALARM.c.untimed_boot == row)
    connection.execute(alarms.values(at=raised, cleared_at=cleared, untimed_boot=None))
    if earliest is not None:
        _count_again(connection, device, began + earliest)


def _earliest(connection: Connection, row: int) -> int | None:
    """The lowest uptime of what counts people and is not timed yet."""
    lowest: Iterable[Any] = (
        connection.execute(
            select(func.min(target.c.untimed_ms)).where(target.c.untimed_boot == row)
        ).scalar()
        for target in (_PASSAGE, _READING)
    )
    return min((uptime for uptime in lowest if uptime is not None), default=None)


def _count_again(connection: Connection, device: DevicePlace, since: Instant) -> None:
    """The site's rooms have evidence that was not folded while nobody knew when it was."""
    later = or_(_BELIEF.c.dirty_since.is_(None), _BELIEF.c.dirty_since > since)
    rooms = _BELIEF.c.room_id.in_(select(_ROOM.c.id).where(_ROOM.c.site_id == device.site_id))
    dirty = {"dirty_since": since, "version": _BELIEF.c.version + 1}
    connection.execute(update(_BELIEF).where(rooms, later, _BELIEF.c.at >= since).values(dirty))
