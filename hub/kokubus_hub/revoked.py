"""What a door granted by itself to a badge that had been revoked, as the door could not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from kokubus.messages import By, Instant
from kokubus_hub import models
from kokubus_hub.batch import Batch
from kokubus_hub.models import table

FLAG = "revoked_meanwhile"
ALARM = "revoked_granted"

_EVENT, _DONE = table(models.AccessEvent), table(models.Enforcement)
_BADGE, _MEMBER = table(models.Badge), table(models.Member)
_HISTORY, _CHANGE = table(models.History), table(models.Change)
_GRANTED = (
    select(
        _EVENT.c.id,
        _EVENT.c.tap,
        _EVENT.c.flags,
        _EVENT.c.badge_id,
        _EVENT.c.member_id,
        _DONE.c.door_id,
        _DONE.c.at,
        _BADGE.c.status.label("badge"),
        _MEMBER.c.status.label("member"),
    )
    .join_from(_EVENT, _DONE, _DONE.c.tap == _EVENT.c.tap)
    .outerjoin(_BADGE, _BADGE.c.id == _EVENT.c.badge_id)
    .outerjoin(_MEMBER, _MEMBER.c.id == _EVENT.c.member_id)
    .where(
        _EVENT.c.tap.in_(bindparam("taps", expanding=True)),
        _DONE.c.by == By.EDGE,
        _DONE.c.granted,
        _DONE.c.reason != "free_passage",
    )
)
_VERSIONS = (
    select(_HISTORY.c.data, _CHANGE.c.at)
    .join_from(_HISTORY, _CHANGE, _CHANGE.c.id == _HISTORY.c.change_id)
    .where(_HISTORY.c.entity == bindparam("kind"), _HISTORY.c.row_id == bindparam("row"))
    .order_by(_HISTORY.c.id.desc())
)


def flag(batch: Batch, late: Sequence[str]) -> None:
    """Flag and alarm such grants of this batch; ``late`` are taps told of only now."""
    asked = [*batch.granted_alone, *late]
    if not asked:
        return
    for row in batch.connection.execute(_GRANTED, {"taps": asked}).all():
        since = _revoked(batch.connection, row)
        if since is not None and since <= row.at and FLAG not in (row.flags or ()):
            _raise(batch, row, since)


def _raise(batch: Batch, row: Any, since: Instant) -> None:
    batch.set(_EVENT, row.id, flags=[*(row.flags or ()), FLAG])
    slug = batch.places.door_slugs[row.door_id]
    device = next(
        one for one in batch.places.devices.values() if one.id == batch.places.doors[slug].device_id
    )
    about = {"door_id": row.door_id, "member_id": row.member_id}
    detail = {"tap": row.tap} | ({"revoked_at": since} if since else {})
    batch.alarm(ALARM, device, row.at, **about, detail=detail)


def _revoked(connection: Connection, row: Any) -> Instant | None:
    """Since when the badge opens nothing; None if it still does, 0 if nobody knows."""
    if row.badge is None:
        return 0  # the hub does not even know it any more
    found = [
        _since(connection, kind, of)
        for kind, of, status in (
            ("badge", row.badge_id, row.badge),
            ("member", row.member_id, row.member),
        )
        if status is not None and status != "active"
    ]
    return min(found, default=None)


def _since(connection: Connection, kind: str, row: int) -> Instant:
    """When the row's status was last changed from active; 0 if that is not known."""
    since = 0
    for version in connection.execute(_VERSIONS, {"kind": kind, "row": row}):
        if (version.data or {}).get("status") == "active":
            return since
        since = int(version.at)
    return 0
