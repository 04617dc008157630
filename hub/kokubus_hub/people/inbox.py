"""The inbox of unknown badges: tap it, then say whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from kokubus.credential import Credential
from kokubus.enrolment import NotEnrollableError, enrollable
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.people.members import credential_of, enrol, opened
from kokubus_hub.problems import not_found

_UNKNOWN, _DOOR, _SITE = (
    table(models.UnknownBadge),
    table(models.Door),
    table(models.Site),
)
_ALL = (
    select(
        _UNKNOWN,
        _DOOR.c.slug.label("door"),
        _DOOR.c.name.label("door_name"),
        _SITE.c.slug.label("site"),
    )
    .join_from(_UNKNOWN, _DOOR)
    .join(_SITE, _SITE.c.id == _DOOR.c.site_id)
    .order_by(_UNKNOWN.c.last_at.desc(), _UNKNOWN.c.id.desc())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A badge nobody holds. One that is not ``enrollable`` shows another number every time."""

    id: int
    site: str
    door: str
    door_name: str
    first_at: Instant
    last_at: Instant
    taps: int
    enrollable: bool


def unknown(connection: Connection, keyring: Keyring, site: str | None = None) -> list[Unknown]:
    """The badges that wait for somebody to say whose they are, newest first."""
    wanted = _ALL if site is None else _ALL.where(_SITE.c.slug == site)
    return [_one(row, keyring) for row in connection.execute(wanted)]


def claim(
    connection: Connection,
    keyring: Keyring,
    badge: int,
    member: str,
    label: str | None,
    now: Instant,
) -> Row[Any]:
    """Enrol an unknown badge for a member, without anybody having seen its UID.

    ProblemError 404 if it was claimed meanwhile or never was, else as `members.enrol`.
    """
    row = connection.execute(_ALL.where(_UNKNOWN.c.id == badge)).one_or_none()
    if row is None:
        raise not_found("unknown badge", badge)
    held = opened(keyring, row.sealed_uid)
    read = credential_of(held.tech, held.uid)
    return enrol(connection, keyring, read, member, {"label": label}, now)


def _one(row: Row[Any], keyring: Keyring) -> Unknown:
    return Unknown(
        id=row.id,
        site=row.site,
        door=row.door,
        door_name=row.door_name,
        first_at=row.first_at,
        last_at=row.last_at,
        taps=row.taps,
        enrollable=_enrollable(opened(keyring, row.sealed_uid)),
    )


def _enrollable(credential: Credential) -> bool:
    try:
        enrollable(credential)
    except NotEnrollableError:
        return False
    return True
