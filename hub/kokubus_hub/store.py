"""What one batch of taps needs to be decided: three reads, however many taps there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from kokubus.decision import State
from kokubus.messages import Instant, Side
from kokubus.rights import BadgeRules, Content, Policy, Right, RightKind, Window
from kokubus_hub import models, rules
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.places import DoorPlace, Places

DAY_MS = 86_400_000
LOOK_BACK_MS, LOOK_AHEAD_MS = DAY_MS, 7 * DAY_MS
"""How far the nearest booking is looked for, to say too late or too early."""

_BADGE, _MEMBER = table(models.Badge), table(models.Member)
_BOOKING, _ENTITLEMENT = table(models.Booking), table(models.Entitlement)
_PRESENCE = table(models.Presence)

_BADGES = (
    select(
        _BADGE,
        _MEMBER.c.slug.label("member"),
        _MEMBER.c.status.label("member_status"),
        _MEMBER.c.start.label("member_start"),
        _MEMBER.c.end.label("member_end"),
    )
    .select_from(_BADGE.outerjoin(_MEMBER))
    .where(_BADGE.c.lookup.in_(bindparam("lookups", expanding=True)))
)
_BOOKINGS = select(_BOOKING).where(
    _BOOKING.c.member_id.in_(bindparam("members", expanding=True)),
    _BOOKING.c.end > bindparam("after"),
    _BOOKING.c.start < bindparam("before"),
    _BOOKING.c.status == "confirmed",
)
_ENTITLEMENTS = select(_ENTITLEMENT).where(
    _ENTITLEMENT.c.member_id.in_(bindparam("members", expanding=True))
)
_INSIDE = select(_PRESENCE.c.badge_id, _PRESENCE.c.room_id, _PRESENCE.c.inside).where(
    _PRESENCE.c.badge_id.in_(bindparam("badges", expanding=True))
)
_HEADS = (
    select(_PRESENCE.c.room_id, func.count())
    .where(_PRESENCE.c.inside, _PRESENCE.c.room_id.in_(bindparam("rooms", expanding=True)))
    .group_by(_PRESENCE.c.room_id)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One tap as it is to be decided; ``lookup`` is the hub's."""

    tap: str
    lookup: str
    door: DoorPlace | None
    side: Side


@dataclass(frozen=True, slots=True)
class _Member:
    slug: str
    status: str
    start: Instant | None
    end: Instant | None


@dataclass(frozen=True, slots=True)
class Known:
    """The slice of the network's rights that these taps touch, and who is inside."""

    policy: Policy
    badges: Mapping[str, Row[Any]]
    inside: Mapping[tuple[int, int], bool]
    heads: Mapping[int, int]

    def state(self, asked: Asked, places: Places) -> State:
        """What the policy cannot know about this tap."""
        if asked.door is None:
            return State()
        badge, room = self.badges.get(asked.lookup), places.rooms[asked.door.room_id]
        free = room.capacity - self.heads[room.id] if room.id in self.heads else None
        inside = self.inside.get((badge.id, room.id)) if badge else None
        return State(inside=inside, free_places=free)


def policy_and_state_for(batch: Batch, asked: Sequence[Asked]) -> Known:
    """Read what `access.decide` needs to judge these taps, and nothing else."""
    lookups = list({one.lookup for one in asked})
    rows = {row.lookup: row for row in batch.connection.execute(_BADGES, {"lookups": lookups})}
    members = {row.member_id: row.member for row in rows.values() if row.member_id is not None}
    rights, schedules = _rights(batch, members)
    doors = {one.door.slug: one.door.rules for one in asked if one.door}
    badges = {lookup: _badge(row, batch.places) for lookup, row in rows.items()}
    policy = Policy(Content(doors, badges, rights, schedules))
    return Known(policy, rows, _inside(batch, asked, rows), _heads(batch, asked, rights))


def _badge(row: Row[Any], places: Places) -> BadgeRules:
    member = (
        _Member(row.member, row.member_status, row.member_start, row.member_end)
        if row.member_id is not None
        else None
    )
    return rules.badge_rules(row, member, places.keyholders.get(row.id, ()))


def _rights(
    batch: Batch, members: Mapping[int, str]
) -> tuple[dict[str, Right], dict[str, tuple[Window, ...]]]:
    rights: dict[str, Right] = {}
    schedules: dict[str, tuple[Window, ...]] = {}
    if not members:
        return rights, schedules
    after, before = batch.now - LOOK_BACK_MS, batch.now + LOOK_AHEAD_MS
    span = {"members": list(members), "after": after, "before": before}
    for row in batch.connection.execute(_BOOKINGS, span):
        room = batch.places.rooms[row.room_id]
        site = batch.places.sites[room.site_id]
        right = rules.booking_right(row, members[row.member_id], room.slug, site)
        if right is not None:
            rights[rules.booking_key(row)] = right
    for row in batch.connection.execute(_ENTITLEMENTS, {"members": list(members)}):
        site = batch.places.sites[row.site_id]
        right = rules.entitlement_right(row, members[row.member_id], _rooms(batch, row), site)
        rights[rules.entitlement_key(row)] = right
        if right.schedule and right.schedule not in schedules:
            weekly = rules.schedule_of(row, site)
            schedules[right.schedule] = rules.expand(weekly, site.timezone, after, before)
    return rights, schedules


def _rooms(batch: Batch, entitlement: Row[Any]) -> tuple[str, ...]:
    rooms = batch.places.rooms
    if entitlement.room_id is not None:
        return (rooms[entitlement.room_id].slug,)
    return tuple(room.slug for room in rooms.values() if room.site_id == entitlement.site_id)


def _inside(
    batch: Batch, asked: Iterable[Asked], rows: Mapping[str, Row[Any]]
) -> dict[tuple[int, int], bool]:
    wanted = {one.lookup for one in asked if one.door and one.door.passback}
    badges = [row.id for lookup, row in rows.items() if lookup in wanted]
    if not badges:
        return {}
    found = batch.connection.execute(_INSIDE, {"badges": badges})
    return {(row.badge_id, row.room_id): row.inside for row in found}


def _heads(batch: Batch, asked: Iterable[Asked], rights: Mapping[str, Right]) -> dict[int, int]:
    """How many are inside, where a flexible right makes it matter."""
    if not any(right.kind is RightKind.ENTITLED for right in rights.values()):
        return {}
    rooms = {one.door.room_id for one in asked if one.door}
    found = batch.connection.execute(_HEADS, {"rooms": list(rooms)})
    return dict.fromkeys(rooms, 0) | dict(found.tuples())
