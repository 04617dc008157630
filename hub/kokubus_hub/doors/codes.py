"""One-time codes for a door nobody can reach: computed here, read out by phone, kept in mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from kokubus.hotp import LOOK_AHEAD, door_secret, hotp
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found

LAPSES_MS = 6 * 3_600_000
"""By then a door that hears the hub takes an unused code no more (`site_rows`)."""

_CODE, _DOOR, _DEVICE = table(models.OneTimeCode), table(models.Door), table(models.Device)
_FOUND = select(
    _DOOR.c.id,
    _DOOR.c.code_counter,
    _DEVICE.c.slug.label("device"),
    _DEVICE.c.lookup_key,
    _DEVICE.c.applied_at,
).select_from(_DOOR.outerjoin(_DEVICE))


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants a code for which door (slugs, names), and why."""

    door: str
    reason: str
    by: str
    operator_id: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """Eight digits to be read out, and which in the door's row they are."""

    door: str
    code: str = field(repr=False)
    counter: int
    at: Instant


def read_out(connection: Connection, keyring: Keyring, asked: Asked, now: Instant) -> Code:
    """The door's next code, recorded, in the caller's writing transaction.

    ProblemError 404 for no such door, 409 if its device has no identity or would not find the
    code any more: too many were read out and never typed.
    """
    door = connection.execute(_FOUND.where(_DOOR.c.slug == asked.door)).one_or_none()
    if door is None:
        raise not_found("door", asked.door)
    if door.lookup_key is None:
        said = f"{asked.door} has no enrolled device, so it knows no codes; enrol its device."
        raise ProblemError(409, said)
    _refuse_lost(connection, door, asked.door)
    counter = door.code_counter
    connection.execute(
        insert(_CODE).values(
            door_id=door.id,
            counter=counter,
            operator_id=asked.operator_id,
            by=asked.by,
            reason=asked.reason,
            at=now,
        )
    )
    _advance(connection, door.id, counter + 1)
    secret = door_secret(keyring.open(door.lookup_key, f"device:{door.device}"), asked.door)
    return Code(asked.door, hotp(secret, counter), counter, now)


def used(connection: Connection, door: int, counter: int, at: Instant) -> None:
    """The door has taken the code of this counter: it and those before it open no more."""
    this = (_CODE.c.door_id == door, _CODE.c.counter == counter)
    connection.execute(update(_CODE).where(*this).values(used_at=at))
    _advance(connection, door, counter + 1)


def latest(connection: Connection, door: int, count: int) -> Sequence[Row[Any]]:
    """The codes read out for a door, newest first."""
    query = select(_CODE).where(_CODE.c.door_id == door).order_by(_CODE.c.counter.desc())
    return connection.execute(query.limit(count)).all()


def _advance(connection: Connection, door: int, counter: int) -> None:
    behind = update(_DOOR).where(_DOOR.c.id == door, _DOOR.c.code_counter < counter)
    connection.execute(behind.values(code_counter=counter))


def _refuse_lost(connection: Connection, door: Any, slug: str) -> None:
    """A door compares `LOOK_AHEAD` codes from where it stands, which is here or later."""
    last_used = (
        select(func.coalesce(func.max(_CODE.c.counter), -1))
        .where(_CODE.c.door_id == door.id, _CODE.c.used_at.is_not(None))
        .scalar_subquery()
    )
    waiting = select(func.min(_CODE.c.counter)).where(
        _CODE.c.door_id == door.id,
        _CODE.c.counter > last_used,
        _CODE.c.at >= (door.applied_at or 0) - LAPSES_MS,
    )
    first = connection.execute(waiting).scalar()
    if first is not None and door.code_counter - first >= LOOK_AHEAD:
        said = f"{slug}: {LOOK_AHEAD} codes were read out and none was used; connect it first."
        raise ProblemError(409, said)
