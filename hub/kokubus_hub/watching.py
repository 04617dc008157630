"""What somebody should know of although nothing happened: silence, gaps, no confirmation.

Each check compares what is wrong now with the alarms that stand, raises those that are missing
and clears those whose cause is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, and_, insert, or_, select, update

from kokubus.messages import Instant
from kokubus.ranges import Ranges
from kokubus_hub import issuing, models, rules
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table

PATIENCE_MS = 60_000
HOUR_MS = 3_600_000
SILENCE = (("device_silent", 1), ("device_silent_long", 2))
"""Alarms by thirds of what a site's doors may do without the hub: usually 24 and 48 hours."""
ANSWER_MS = 2_000
ENTRY_MS = 30_000
"""A door that drew its bolt says within this time whether it was opened."""

_ALARM, _DEVICE, _SITE = table(models.Alarm), table(models.Device), table(models.Site)
_SPOOL, _COMMAND, _PLACEMENT = table(models.Spool), table(models.Command), table(models.Placement)
_STANDING = select(_ALARM.c.id, _ALARM.c.kind, _ALARM.c.device_id).where(
    _ALARM.c.cleared_at.is_(None),
    _ALARM.c.kind.in_(
        (
            "facts_missing",
            "device_offline",
            "policy_not_confirmed",
            *(kind for kind, _ in SILENCE),
        )
    ),
)
_SPOOLS = (
    select(_SPOOL.c.device_id, _SPOOL.c.epoch, _SPOOL.c.received, _DEVICE.c.site_id)
    .join_from(_SPOOL, _DEVICE)
    .where(_SPOOL.c.received.like("%],[%"))
)
_OFFLINE = (
    select(
        _DEVICE.c.id,
        _DEVICE.c.site_id,
        _DEVICE.c.status_at,
        _SITE.c.kind,
        _SITE.c.policy_expiry_ms,
    )
    .join_from(_DEVICE, _SITE)
    .where(_DEVICE.c.online.is_(False), _DEVICE.c.revoked_at.is_(None))
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One alarm that should stand for a device."""

    site: int
    since: Instant
    detail: Mapping[str, Any] | None = None


class Watch:
    """The checks, and since when each gap has been seen.

    ``expiry_ms`` is how long doors may do without the hub, where their site does not say.
    """

    def __init__(self, engine: Engine, expiry_ms: int = 72 * HOUR_MS) -> None:
        self._engine = engine
        self._expiry_ms = expiry_ms
        self._gaps: dict[tuple[int, str, int], Instant] = {}

    def look(self, now: Instant) -> None:
        """Raise and clear the alarms of all devices."""
        with reading(self._engine) as connection:
            found = {
                "facts_missing": self._missing(connection, now),
                "device_offline": _offline(connection, now),
                **_silent(connection, now, self._expiry_ms),
                "policy_not_confirmed": _unconfirmed(connection, now),
            }
            standing = {(row.kind, row.device_id): row.id for row in connection.execute(_STANDING)}
        wanted = {(kind, device): t for kind, of in found.items() for device, t in of.items()}
        raised = [(key, t) for key, t in wanted.items() if key not in standing]
        cleared = [id_ for key, id_ in standing.items() if key not in wanted]
        if raised or cleared:
            with writing(self._engine) as connection:
                _settle(connection, raised, cleared, now)

    def _missing(self, connection: Connection, now: Instant) -> dict[int, Trouble]:
        """Numbers a device sent others after, and not heard of for a minute."""
        seen: dict[tuple[int, str, int], Instant] = {}
        found: dict[int, Trouble] = {}
        for row in connection.execute(_SPOOLS):
            for first, last in Ranges(from_json(row.received)).gaps():
                key = (row.device_id, row.epoch, first)
                seen[key] = since = self._gaps.get(key, now)
                if now - since >= PATIENCE_MS:
                    detail = {"epoch": row.epoch, "first": first, "last": last}
                    found.setdefault(row.device_id, Trouble(row.site_id, since, detail))
        self._gaps = seen
        return found


def expire_commands(engine: Engine, now: Instant) -> None:
    """An unlock whose door stays silent is settled as ``no_answer``."""
    unanswered = or_(
        and_(_COMMAND.c.outcome == "sent", _COMMAND.c.expires_at < now - ANSWER_MS),
        and_(_COMMAND.c.outcome == "started", _COMMAND.c.expires_at < now - ENTRY_MS),
    )
    with reading(engine) as connection:
        if connection.execute(select(_COMMAND.c.id).where(unanswered).limit(1)).first() is None:
            return
    with writing(engine) as connection:
        settled = update(_COMMAND).where(unanswered)
        connection.execute(settled.values(outcome="no_answer", outcome_at=now))


def _offline(connection: Connection, now: Instant) -> dict[int, Trouble]:
    """Devices the broker lost a minute ago; of a container in transit silence is expected."""
    rows = connection.execute(_OFFLINE).all()
    return {
        row.id: Trouble(row.site_id, row.status_at)
        for row in rows
        if now - (row.status_at or 0) >= PATIENCE_MS and not _moves(connection, row, now)
    }


def _silent(connection: Connection, now: Instant, expiry_ms: int) -> dict[str, dict[int, Trouble]]:
    """Devices away for so long that soon they let in nobody but keyholders."""
    away = [row for row in connection.execute(_OFFLINE).all() if not _moves(connection, row, now)]
    found: dict[str, dict[int, Trouble]] = {kind: {} for kind, _ in SILENCE}
    for row in away:
        life = row.policy_expiry_ms or expiry_ms
        for kind, thirds in SILENCE:
            if 3 * (now - (row.status_at or 0)) >= thirds * life:
                detail = {"keyholders_only_after_h": life // HOUR_MS}
                found[kind][row.id] = Trouble(row.site_id, row.status_at or 0, detail)
    return found


def _moves(connection: Connection, row: Any, now: Instant) -> bool:
    if row.kind != "container":
        return False
    placements = connection.execute(
        select(_PLACEMENT).where(_PLACEMENT.c.site_id == row.site_id)
    ).all()
    return any(start <= now < end for start, end in rules.in_transit(row, placements))


def _unconfirmed(connection: Connection, now: Instant) -> dict[int, Trouble]:
    """Doors that are connected and have not taken the policy in force for a minute."""
    found: dict[int, Trouble] = {}
    for row in issuing.unconfirmed(connection):
        since = max(row.issued_at, row.status_at or 0)
        if row.online and now - since >= PATIENCE_MS:
            found[row.id] = Trouble(row.site_id, since)
    return found


def _settle(
    connection: Connection,
    raised: list[tuple[tuple[str, int], Trouble]],
    cleared: list[int],
    now: Instant,
) -> None:
    for (kind, device), trouble in raised:
        row = {"kind": kind, "device_id": device, "site_id": trouble.site, "at": trouble.since}
        connection.execute(insert(_ALARM).values(row | {"detail": trouble.detail}))
    if cleared:
        gone = update(_ALARM).where(_ALARM.c.id.in_(cleared))
        connection.execute(gone.values(cleared_at=now))
