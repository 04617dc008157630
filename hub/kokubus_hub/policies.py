"""What each device has to know to decide alone: its doors' rights over the horizon.

A document (`kokubus.policy`) is a pure function of the database and of the hour, so two of them
differ only by what was really changed. It names badges by the device's own lookups and members
by their slugs; nothing in it is readable elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, select

from kokubus import credential, wire
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus.policy import Document
from kokubus.rights import BadgeRules, Right
from kokubus_hub import models, rules
from kokubus_hub.keys import Keyring
from kokubus_hub.made import Made
from kokubus_hub.models import table
from kokubus_hub.rules import Row
from kokubus_hub.site_rows import (
    BOOKED,
    ENTITLED,
    HOLDERS,
    KEYHOLDERS,
    SiteRows,
    load,
    member_of,
)

HOUR_MS = 3_600_000
BACK_MS = 4 * HOUR_MS
"""Rights that ended so recently are kept, so that a door can say "too late, since ..."."""

_AT_ONCE = 10_000
"""Badges read by one statement: below the number of variables either database takes."""
_REMEMBERED = 50_000

_DEVICE = table(models.Device)
_DEVICES = select(_DEVICE.c.id, _DEVICE.c.slug, _DEVICE.c.site_id, _DEVICE.c.lookup_key).where(
    _DEVICE.c.id.in_(bindparam("devices", expanding=True)),
    _DEVICE.c.revoked_at.is_(None),
    _DEVICE.c.lookup_key.is_not(None),
)

_SITE = table(models.Site)
_HORIZON = select(_SITE.c.policy_horizon_ms).where(_SITE.c.id == bindparam("site"))


class NoPolicyError(KokubusError):
    """A device cannot have a policy: it is unknown, revoked or was never enrolled."""


@dataclass(frozen=True, slots=True)
class _Badge:
    """A badge as it stands in documents."""

    row: Row
    rules: BadgeRules
    json: Any

    def with_keys(self, doors: Iterable[str]) -> _Badge:
        """This badge as one that opens these doors whatever else holds."""
        held = replace(self.rules, keyholder=tuple(doors))
        return _Badge(self.row, held, wire.dump(held))


_Booked = tuple[str, tuple[str, ...], Any]
"""A right's key, its rooms, and its JSON; None for the last where there is no right."""


class Known:
    """What is computed once and holds for later documents, so that a change costs little.

    A UID is opened to compute a device's lookup and is not kept.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.badges: Made[_Badge] = Made(_REMEMBERED)
        self.booked: Made[_Booked] = Made(_REMEMBERED)
        self._keyring = keyring
        self._lookups: dict[int, tuple[bytes, dict[str, str]]] = {}

    def lookups(
        self, device: Row, badges: Mapping[str, _Badge], texts: dict[str, bytes]
    ) -> dict[str, str]:
        """The device's lookup of each badge, by the hub's; ``texts`` are those opened so far."""
        sealed, known = self._lookups.get(device.id, (b"", {}))
        known = known if sealed == device.lookup_key else {}
        now = {lookup: known[lookup] for lookup in badges if lookup in known}
        if new := badges.keys() - now.keys():
            key = self._keyring.open(device.lookup_key, f"device:{device.slug}")
            for lookup in new - texts.keys():
                texts[lookup] = self._keyring.open(badges[lookup].row.sealed_uid, "badge")
            now |= {lookup: credential.lookup(texts[lookup], key) for lookup in new}
        self._lookups[device.id] = device.lookup_key, now
        return now


@dataclass(slots=True)
class _Group:
    """The rights of a site to the same rooms, whoever has them."""

    rights: dict[str, Any] = field(default_factory=dict)
    members: set[int] = field(default_factory=set)
    schedules: dict[str, Any] = field(default_factory=dict)


_Groups = Mapping[tuple[str, ...], _Group]


def build(
    connection: Connection, device_id: int, now: Instant, horizon_ms: int, keyring: Keyring
) -> Document:
    """The document of one device; NoPolicyError if it cannot have one."""
    built = build_all(connection, [device_id], now, horizon_ms, Known(keyring))
    if device_id not in built:
        raise NoPolicyError(f"device {device_id} is unknown, revoked or not enrolled")
    return built[device_id]


def build_all(
    connection: Connection,
    devices: Iterable[int],
    now: Instant,
    horizon_ms: int,
    known: Known,
) -> dict[int, Document]:
    """The documents of these devices; those that cannot have one are left out."""
    by_site: dict[int, list[int]] = {}
    for device in connection.execute(_DEVICES, {"devices": list(devices)}):
        by_site.setdefault(device.site_id, []).append(device.id)
    building = Building(connection, now, horizon_ms, known)
    return {
        device: document
        for site, of_site in by_site.items()
        for device, document in building.of_site(site, of_site).items()
    }


def span(now: Instant, horizon_ms: int) -> tuple[Instant, Instant]:
    """What a document built now covers, in whole hours."""
    hour = now - now % HOUR_MS
    return hour - BACK_MS, hour + HOUR_MS + horizon_ms


class Building:
    """One pass over some sites; a badge that several of them know is read once."""

    def __init__(self, connection: Connection, now: Instant, horizon_ms: int, known: Known) -> None:
        self._connection = connection
        self._now = now
        self._horizon_ms = horizon_ms
        self._known = known
        self._texts: dict[str, bytes] = {}
        self._of_member: dict[int, list[_Badge]] = {}

    def of_site(self, site: int, devices: Iterable[int]) -> dict[int, Document]:
        """The documents of these devices of a site, as far as they can have one."""
        own = self._connection.execute(_HORIZON, {"site": site}).scalar()
        rows = load(self._connection, site, *span(self._now, own or self._horizon_ms))
        groups = self._groups(rows)
        members = set().union(*(group.members for group in groups.values()))
        self._read_members([member for member in members if member not in self._of_member])
        keys = self._keys(rows)
        found = self._connection.execute(_DEVICES, {"devices": list(devices)}).all()
        return {device.id: self._document(device, rows, groups, keys) for device in found}

    def _groups(self, rows: SiteRows) -> _Groups:
        groups: dict[tuple[str, ...], _Group] = defaultdict(_Group)
        booked = self._connection.execute(BOOKED, rows.span).all()
        plain = [row for row in booked if not row.whole_day]
        whole = [row for row in booked if row.whole_day]  # these depend on the opening hours too
        made = self._known.booked.of(plain, lambda new: _made_booked(new, rows))
        for row, (key, rooms, json) in zip(
            [*plain, *whole], [*made, *_made_booked(whole, rows)], strict=True
        ):
            if json is not None:
                groups[rooms].rights[key] = json
                groups[rooms].members.add(row.member_id)
        self._add_standing(groups, rows)
        return groups

    def _add_standing(self, groups: dict[tuple[str, ...], _Group], rows: SiteRows) -> None:
        for row in self._connection.execute(ENTITLED, rows.span).all():
            right = _standing(row, rows)
            group = groups[right.rooms]
            group.rights[rules.entitlement_key(row)] = wire.dump(right)
            group.members.add(row.member_id)
            if right.schedule and right.schedule not in group.schedules:
                group.schedules[right.schedule] = _schedule(rules.schedule_of(row, rows.site), rows)

    def _keys(self, rows: SiteRows) -> list[_Badge]:
        if not rows.keyholders:
            return []
        asked = {"badges": list(rows.keyholders)}
        return self._badges(self._connection.execute(KEYHOLDERS, asked).all())

    def _badges(self, rows: Sequence[Row]) -> list[_Badge]:
        return self._known.badges.of(rows, _made_badges)

    def _read_members(self, members: list[int]) -> None:
        for first in range(0, len(members), _AT_ONCE):
            asked = members[first : first + _AT_ONCE]
            self._of_member |= {member: [] for member in asked}
            for badge in self._badges(self._connection.execute(HOLDERS, {"members": asked}).all()):
                self._of_member[badge.row.member_id].append(badge)

    def _document(
        self, device: Row, rows: SiteRows, groups: _Groups, keys: list[_Badge]
    ) -> Document:
        doors = {row.slug: rows.rules_of(row) for row in rows.doors if row.device_id == device.id}
        rooms = {room for door in doors.values() for room in door.rooms}
        reached = [group for key, group in groups.items() if not rooms.isdisjoint(key)]
        members = set().union(*(group.members for group in reached))
        badges = {
            badge.row.lookup: badge for member in members for badge in self._of_member[member]
        }
        badges |= {badge.row.lookup: badge.with_keys(doors) for badge in keys}
        lookups = self._known.lookups(device, badges, self._texts)
        return {
            "doors": {slug: wire.dump(door) for slug, door in doors.items()},
            "badges": {lookups[key]: badge.json for key, badge in badges.items()},
            "rights": _joined(group.rights for group in reached),
            "schedules": _joined(group.schedules for group in reached),
        }


def _made_badges(found: Sequence[Row]) -> list[_Badge]:
    all_rules = {row.lookup: rules.badge_rules(row, member_of(row)) for row in found}
    json = wire.dump_each(BadgeRules, all_rules)
    return [_Badge(row, all_rules[row.lookup], json[row.lookup]) for row in found]


def _joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for part in parts:
        joined |= part
    return joined


def _made_booked(bookings: Sequence[Row], rows: SiteRows) -> list[_Booked]:
    rights = {
        rules.booking_key(row): rules.booking_right(
            row, row.member, rows.rooms[row.room_id], rows.site
        )
        for row in bookings
    }
    json = wire.dump_each(Right, {key: right for key, right in rights.items() if right is not None})
    return [(key, right.rooms if right else (), json.get(key)) for key, right in rights.items()]


def _standing(row: Row, rows: SiteRows) -> Right:
    rooms = (rows.rooms[row.room_id],) if row.room_id else tuple(rows.rooms.values())
    return rules.entitlement_right(row, row.member, rooms, rows.site)


def _schedule(weekly: Any, rows: SiteRows) -> Any:
    return wire.dump(rules.expand(weekly, rows.site.timezone, rows.start, rows.end))
