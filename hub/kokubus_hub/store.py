"""What one batch of taps needs to be decided: three reads, however many taps there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, select, union_all

from kokubus.decision import State
from kokubus.messages import Instant, Side
from kokubus.rights import BadgeRules, Content, Policy, Right, RightKind, Window
from kokubus_hub import models, rules
from kokubus_hub.batch import Batch
from kokubus_hub.bulk import among, listed, run
from kokubus_hub.hours import last_reset
from kokubus_hub.models import table
from kokubus_hub.places import DoorPlace, Held, Places

DAY_MS = 86_400_000
LOOK_BACK_MS, LOOK_AHEAD_MS = DAY_MS, 7 * DAY_MS
"""How far the nearest booking is looked for, to say too late or too early."""
HOLD_MS, HELD_MOST = 3_600_000, 20_000
"""Held rights are those of a whole hour, so that the same can be found again (`explain`)."""

_BADGE, _MEMBER = table(models.Badge), table(models.Member)
_BOOKING, _ENTITLEMENT = table(models.Booking), table(models.Entitlement)
_HOLDER, _PRESENCE = table(models.BookingHolder), table(models.Presence)

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
_BOOKED = (
    _BOOKING.c.room_id,
    _BOOKING.c.start,
    _BOOKING.c.end,
    _BOOKING.c.whole_day,
    _BOOKING.c.date,
    _BOOKING.c.status,
)
_AROUND = (
    _BOOKING.c.end > bindparam("after"),
    _BOOKING.c.start < bindparam("before"),
    _BOOKING.c.status == "confirmed",
)
_THEIRS: Any = bindparam("members", expanding=True)
_BOOKINGS = union_all(
    select(_BOOKING.c.id, _BOOKING.c.member_id, *_BOOKED).where(
        _BOOKING.c.member_id.in_(_THEIRS), *_AROUND
    ),
    select((-_HOLDER.c.id).label("id"), _HOLDER.c.member_id, *_BOOKED)
    .join_from(_HOLDER, _BOOKING)
    .where(_HOLDER.c.member_id.in_(_THEIRS), *_AROUND),
)
"""Of those who booked, and of those who come along (`site_rows.BOOKED`)."""
_ENTITLEMENTS = select(_ENTITLEMENT).where(
    _ENTITLEMENT.c.member_id.in_(bindparam("members", expanding=True))
)
_INSIDE = among(
    select(_PRESENCE.c.badge_id, _PRESENCE.c.room_id, _PRESENCE.c.inside, _PRESENCE.c.at),
    _PRESENCE.c.badge_id,
    "badges",
)
_HEADS = (
    select(_PRESENCE.c.room_id, func.count())
    .where(
        _PRESENCE.c.inside,
        _PRESENCE.c.at >= bindparam("since"),
        _PRESENCE.c.room_id.in_(bindparam("rooms", expanding=True)),
    )
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
    held: Mapping[str, Held]
    inside: Mapping[tuple[int, int], bool]
    heads: Mapping[int, int]

    def state(self, asked: Asked, places: Places) -> State:
        """What the policy cannot know about this tap."""
        if asked.door is None:
            return State()
        held, room = self.held[asked.lookup], places.rooms[asked.door.room_id]
        open_to_all = room.capacity - room.reserve
        free = open_to_all - self.heads[room.id] if room.id in self.heads else None
        inside = self.inside.get((held.badge_id, room.id)) if held.badge_id else None
        return State(inside=inside, free_places=free)


def policy_and_state_for(batch: Batch, asked: Sequence[Asked]) -> Known:
    """What `access.decide` needs to judge these taps, and nothing else.

    What a badge may do is read once a change (see `changes`), or once an hour: schedules
    and the bookings around now are only looked up so far ahead.
    """
    lookups = {one.lookup for one in asked}
    old = _hour(batch)
    known = batch.places.held
    if len(known) > HELD_MOST:
        known.clear()
    missing = [lookup for lookup in lookups if lookup not in known or known[lookup].at < old]
    if missing:
        _hold(batch, missing)
    held = {lookup: known[lookup] for lookup in lookups}
    content = _content(asked, held)
    return Known(Policy(content), held, _inside(batch, asked, held), _heads(batch, asked, content))


def _content(asked: Sequence[Asked], held: Mapping[str, Held]) -> Content:
    rights: dict[str, Right] = {}
    schedules: dict[str, tuple[Window, ...]] = {}
    for one in held.values():
        rights |= one.rights
        schedules |= one.schedules
    doors = {one.door.slug: one.door.rules for one in asked if one.door}
    badges = {lookup: one.rules for lookup, one in held.items() if one.rules}
    return Content(doors, badges, rights, schedules)


def _hour(batch: Batch) -> Instant:
    return batch.now - batch.now % HOLD_MS


def _hold(batch: Batch, lookups: list[str]) -> None:
    """Read these badges with their rights, and keep them until the next change."""
    kept = batch.places.held
    kept.update((lookup, Held(batch.now)) for lookup in lookups)
    rows = list(batch.connection.execute(_BADGES, {"lookups": lookups}))
    members = {row.member_id: row.member for row in rows if row.member_id is not None}
    rights, schedules = _rights(batch, members)
    for row in rows:
        own = rights.get(row.member_id, {})
        used = {right.schedule for right in own.values()}
        kept[row.lookup] = Held(
            batch.now,
            row.id,
            row.member_id,
            _badge(row, batch.places),
            own,
            {name: windows for name, windows in schedules.items() if name in used},
        )


def _badge(row: Row[Any], places: Places) -> BadgeRules:
    member = (
        _Member(row.member, row.member_status, row.member_start, row.member_end)
        if row.member_id is not None
        else None
    )
    return rules.badge_rules(row, member, places.keyholders.get(row.id, ()))


def _rights(
    batch: Batch, members: Mapping[int, str]
) -> tuple[dict[int, dict[str, Right]], dict[str, tuple[Window, ...]]]:
    """(rights by id by member, schedules) around now."""
    rights: defaultdict[int, dict[str, Right]] = defaultdict(dict)
    schedules: dict[str, tuple[Window, ...]] = {}
    if not members:
        return rights, schedules
    after, before = _hour(batch) - LOOK_BACK_MS, _hour(batch) + LOOK_AHEAD_MS
    span = {"members": list(members), "after": after, "before": before}
    for row in batch.connection.execute(_BOOKINGS, span):
        room = batch.places.rooms[row.room_id]
        site = batch.places.sites[room.site_id]
        right = rules.booking_right(row, members[row.member_id], room.slug, site)
        if right is not None:
            rights[row.member_id][rules.booking_key(row)] = right
    for row in batch.connection.execute(_ENTITLEMENTS, {"members": list(members)}):
        site = batch.places.sites[row.site_id]
        right = rules.entitlement_right(row, members[row.member_id], _rooms(batch, row), site)
        rights[row.member_id][rules.entitlement_key(row)] = right
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
    batch: Batch, asked: Iterable[Asked], held: Mapping[str, Held]
) -> dict[tuple[int, int], bool]:
    wanted = {one.lookup for one in asked if one.door and one.door.passback}
    badges = [one.badge_id for lookup, one in held.items() if lookup in wanted and one.badge_id]
    if not badges:
        return {}
    query = _INSIDE[batch.connection.dialect.name]
    found = run(batch.connection, query, {"badges": listed(badges)})
    return {
        (row.badge_id, row.room_id): bool(row.inside) and row.at >= _reset(batch, row.room_id)
        for row in found
    }


def _heads(batch: Batch, asked: Iterable[Asked], content: Content) -> dict[int, int]:
    """How many are inside, where a flexible right makes it matter."""
    if not any(right.kind is RightKind.ENTITLED for right in content.rights.values()):
        return {}
    rooms = {one.door.room_id for one in asked if one.door}
    by_reset: defaultdict[Instant, list[int]] = defaultdict(list)
    for room in rooms:
        by_reset[_reset(batch, room)].append(room)
    heads = dict.fromkeys(rooms, 0)
    for since, of_these in by_reset.items():  # one reset where all sites keep the same hour
        found = batch.connection.execute(_HEADS, {"rooms": of_these, "since": since})
        heads |= dict(tuple(row) for row in found)
    return heads


def _reset(batch: Batch, room: int) -> Instant:
    """Since when somebody who went in counts as inside the room."""
    site = batch.places.sites[batch.places.rooms[room].site_id]
    return last_reset(site.daily_reset, site.timezone, batch.now)
