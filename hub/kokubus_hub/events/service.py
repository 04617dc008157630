"""Taps with the three facts of each, and passages, as they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.bulk import among, listed
from kokubus_hub.models import table

_EVENT, _ENFORCED = table(models.AccessEvent), table(models.Enforcement)
_PASSAGE, _SAID = table(models.Passage), table(models.DoorEvent)
_DOOR, _SITE, _MEMBER = table(models.Door), table(models.Site), table(models.Member)

EVENTS = (
    select(
        _EVENT,
        _DOOR.c.slug.label("door"),
        _DOOR.c.name.label("door_name"),
        _DOOR.c.site_id,
        _SITE.c.slug.label("site"),
        _MEMBER.c.slug.label("member"),
        _MEMBER.c.name.label("member_name"),
        _ENFORCED.c.at.label("enforced_at"),
        _ENFORCED.c.by,
        _ENFORCED.c.granted.label("enforced"),
        _ENFORCED.c.reason.label("enforced_reason"),
        _ENFORCED.c.policy_age_ms,
        _ENFORCED.c.policy_epoch.label("door_epoch"),
        _ENFORCED.c.policy_n.label("door_n"),
    )
    .select_from(_EVENT)
    .outerjoin(_DOOR, _DOOR.c.id == _EVENT.c.door_id)
    .outerjoin(_SITE, _SITE.c.id == _DOOR.c.site_id)
    .outerjoin(_MEMBER, _MEMBER.c.id == _EVENT.c.member_id)
    .outerjoin(_ENFORCED, _ENFORCED.c.tap == _EVENT.c.tap)
)
PASSAGES = (
    select(
        _PASSAGE,
        _DOOR.c.slug.label("door"),
        _DOOR.c.name.label("door_name"),
        _DOOR.c.site_id,
        _SITE.c.slug.label("site"),
        _MEMBER.c.slug.label("member"),
    )
    .select_from(_PASSAGE)
    .join(_DOOR, _DOOR.c.id == _PASSAGE.c.door_id)
    .join(_SITE, _SITE.c.id == _DOOR.c.site_id)
    .outerjoin(_MEMBER, _MEMBER.c.id == _PASSAGE.c.member_id)
)
SAID = select(_SAID, _DOOR.c.name.label("door_name"), _DOOR.c.site_id).join_from(_SAID, _DOOR)
_NOBODY = among(
    select(_SAID.c.tap, _SAID.c.at).where(_SAID.c.kind == "no_entry"), _SAID.c.tap, "taps"
)
_WENT = among(select(_PASSAGE.c.tap, _PASSAGE.c.at, _PASSAGE.c.side), _PASSAGE.c.tap, "taps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows: newest first before ``before``, or oldest first after ``after``."""

    site: str | None = None
    door: str | None = None
    member: str | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 100

    def apply(self, query: Select[Any], key: Any) -> Select[Any]:
        """The query of one page, by its key column."""
        for value, column in (
            (self.site, _SITE.c.slug),
            (self.door, _DOOR.c.slug),
            (self.member, _MEMBER.c.slug),
        ):
            if value is not None:
                query = query.where(column == value)
        if self.after is not None:
            return query.where(key > self.after).order_by(key).limit(self.limit)
        if self.before is not None:
            query = query.where(key < self.before)
        return query.order_by(key.desc()).limit(self.limit)


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a tap at the door: somebody went in (``side``), or nobody did."""

    at: Instant
    entered: bool
    side: str | None = None


def taps(connection: Connection, wanted: Filter) -> list[Row[Any]]:
    """Taps with the hub's decision and what the door did."""
    return list(connection.execute(wanted.apply(EVENTS, _EVENT.c.id)))


def passages(connection: Connection, wanted: Filter) -> list[Row[Any]]:
    """Passages, whatever they followed from."""
    return list(connection.execute(wanted.apply(PASSAGES, _PASSAGE.c.id)))


def unexplained(connection: Connection, limit: int) -> list[Row[Any]]:
    """Of the newest passages those that no tap or command explains, newest first."""
    newest = select(_PASSAGE.c.id).order_by(_PASSAGE.c.id.desc()).limit(limit)
    alone = PASSAGES.where(_PASSAGE.c.tap.is_(None), _PASSAGE.c.command.is_(None))
    return list(
        connection.execute(alone.where(_PASSAGE.c.id.in_(newest)).order_by(_PASSAGE.c.id.desc()))
    )


def said(connection: Connection, kinds: tuple[str, ...], limit: int) -> list[Row[Any]]:
    """The doors' own latest facts of these kinds, newest first."""
    newest = SAID.where(_SAID.c.kind.in_(kinds)).order_by(_SAID.c.id.desc()).limit(limit)
    return list(connection.execute(newest))


def tap_by_id(connection: Connection, event: int) -> Row[Any] | None:
    """One tap's row."""
    return connection.execute(EVENTS.where(_EVENT.c.id == event)).one_or_none()


def entries(connection: Connection, rows: list[Row[Any]]) -> dict[str, Entry]:
    """What came of these taps, by tap id; nothing where it is not known yet."""
    if not rows:
        return {}
    names = {"taps": listed(row.tap for row in rows)}
    nobody = connection.execute(_NOBODY[connection.dialect.name], names)
    went = connection.execute(_WENT[connection.dialect.name], names)
    found = {row.tap: Entry(row.at, entered=False) for row in nobody}
    return found | {row.tap: Entry(row.at, entered=True, side=row.side) for row in went}
