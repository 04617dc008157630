"""Which doors a booking needs, and whether they have it.

A row of ``booking_delivery`` a booking and door is written with the booking's change (`owe`) and
kept by `work` as doors report (`settle`). Whoever looks in between sees the same: a row that is
open is judged again by the device's last report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.messages import Instant
from kokubus_hub import models, rules
from kokubus_hub.bulk import among, listed
from kokubus_hub.models import table

State: TypeAlias = Literal["waiting", "on_the_door", "failed"]
Why: TypeAlias = Literal["", "offline", "later", "no_device", "revoked", "not_confirmed"]
PATIENCE_MS = 60_000
"""A connected door that has not confirmed for so long has failed to."""
LATE_BUILD_MS = 5 * 60_000
"""Policies are made again every hour, and as much later at most."""

_DOOR, _DEVICE, _ROOM = table(models.Door), table(models.Device), table(models.Room)
_SITE = table(models.Site)
_KEPT, _BOOKING, _POLICY = (
    table(models.BookingDelivery),
    table(models.Booking),
    table(models.Policy),
)
_NEWEST = (
    select(_POLICY.c.sha256)
    .where(_POLICY.c.device_id == _DEVICE.c.id)
    .order_by(_POLICY.c.epoch.desc(), _POLICY.c.n.desc())  # as its index has them
    .limit(1)
    .scalar_subquery()
)
_DOORS = (
    select(
        _DOOR,
        _DEVICE.c.online,
        _DEVICE.c.status_at,
        _DEVICE.c.revoked_at,
        _DEVICE.c.lookup_key.is_not(None).label("enrolled"),
        _DEVICE.c.applied_change,
        _DEVICE.c.applied_at,
        (_DEVICE.c.applied_sha256 == _NEWEST).label("current"),
        _SITE.c.policy_horizon_ms,
    )
    .select_from(
        _DOOR.join(_SITE, _SITE.c.id == _DOOR.c.site_id).outerjoin(
            _DEVICE, _DEVICE.c.id == _DOOR.c.device_id
        )
    )
    .order_by(_DOOR.c.id)
)
_KEPT_OF = among(select(_KEPT).order_by(_KEPT.c.id), _KEPT.c.booking_id, "bookings")
_OPEN = select(_KEPT).where(_KEPT.c.state != "on_the_door", _KEPT.c.due < bindparam("until"))
_SETTLE = (
    update(_KEPT)
    .where(_KEPT.c.id == bindparam("row"), _KEPT.c.change_id == bindparam("of"))
    .values(state=bindparam("is"), since=bindparam("from"), why=bindparam("because"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Whether one door has reported a policy with this booking.

    ``since`` is the booking's change while waiting, else when the door had it or it failed.
    ``why`` it waits: the device is ``offline``, or the booking lies beyond what policies hold
    (``later``). Why it failed: there is ``no_device`` at the door, it was ``revoked``, or it
    has ``not_confirmed`` although it is connected.
    """

    door: str
    name: str
    state: State
    since: Instant
    why: Why = ""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a door is to know: everything up to ``change``, which concerns it from ``due`` on."""

    change: int | None
    due: Instant
    since: Instant


@dataclass(frozen=True, slots=True)
class Doors:
    """The network's doors by the rooms that lie behind them, and what is kept of bookings."""

    by_room: Mapping[int, Sequence[Row[Any]]]
    by_id: Mapping[int, Row[Any]]
    kept: Mapping[int, Sequence[Row[Any]]]
    horizon_ms: int
    now: Instant

    def of(self, booking: Row[Any]) -> list[Delivery]:
        """The delivery to each door on the way, and to those that were on it before a change."""
        kept = {row.door_id: row for row in self.kept.get(booking.id, ())}
        ids = [door.id for door in self.by_room.get(booking.room_id, ())]
        ids += [door for door in kept if door not in ids]
        return [self._one(self.by_id[door], kept.get(door), booking) for door in ids]

    def delivered(self, booking: Row[Any]) -> bool:
        """Whether every door on the way has it."""
        return all(one.state == "on_the_door" for one in self.of(booking))

    def know(self, booking: Row[Any], change: int) -> bool:
        """Whether every door on the way has reported a change, and the booking with it."""
        ways = self.by_room.get(booking.room_id, ())
        told = all((door.applied_change or 0) >= change for door in ways)
        return bool(ways) and told and self.delivered(booking)

    def _one(self, door: Row[Any], kept: Row[Any] | None, booking: Row[Any]) -> Delivery:
        if kept is not None and kept.state == "on_the_door":
            return Delivery(door=door.slug, name=door.name, state=kept.state, since=kept.since)
        owed = Owed(booking.change_id, due_of(booking), booking.changed_at)
        if kept is not None:
            owed = Owed(kept.change_id, kept.due, booking.changed_at)
        state, since, why = judged(door, owed, self.now, self.horizon_ms)
        return Delivery(door=door.slug, name=door.name, state=state, since=since, why=why)


def read(
    connection: Connection, horizon_ms: int, now: Instant, bookings: Iterable[int] = ()
) -> Doors:
    """The doors as their devices reported last, and what is kept of these bookings."""
    doors = {row.id: row for row in connection.execute(_DOORS)}
    kept: dict[int, list[Row[Any]]] = {}
    query = _KEPT_OF[connection.dialect.name]
    for row in connection.execute(query, {"bookings": listed(bookings)}):
        kept.setdefault(row.booking_id, []).append(row)
    return Doors(by_room(connection, doors.values()), doors, kept, horizon_ms, now)


def by_room(connection: Connection, doors: Iterable[Row[Any]]) -> dict[int, list[Row[Any]]]:
    """The doors on the way to each room."""
    known = list(doors)
    slugs = {row.id: row.slug for row in connection.execute(select(_ROOM.c.id, _ROOM.c.slug))}
    ids = {slug: room for room, slug in slugs.items()}
    found: dict[int, list[Row[Any]]] = {}
    for door in known:
        for slug in rules.rooms_behind(door, known, slugs):
            found.setdefault(ids[slug], []).append(door)
    return found


def judged(door: Row[Any], owed: Owed, now: Instant, horizon_ms: int) -> tuple[State, Instant, Why]:
    """(state, since, why) of what a door is owed, by its device's last report.

    A policy holds what begins within the horizon of when it was made. One that is made again
    and says the same is not sent again: what a door holds is as new as the newest policy
    it has the fingerprint of.
    """
    if not door.enrolled or door.revoked_at is not None:
        return "failed", owed.since, "revoked" if door.revoked_at is not None else "no_device"
    horizon_ms = door.policy_horizon_ms or horizon_ms
    reach = (door.applied_at or 0) + horizon_ms
    if door.current:
        reach = max(reach, now + horizon_ms - LATE_BUILD_MS)
    knows = owed.change is not None and (door.applied_change or 0) >= owed.change
    if knows and owed.due < reach:
        return "on_the_door", max(door.applied_at, owed.since), ""
    if knows or owed.due >= now + horizon_ms:
        return "waiting", owed.since, "later"
    if not door.online:
        return "waiting", owed.since, "offline"
    if now - max(owed.since, door.status_at or 0) >= PATIENCE_MS:
        return "failed", owed.since, "not_confirmed"
    return "waiting", owed.since, ""


def failed(doors: Iterable[Delivery]) -> Delivery | None:
    """The first of them at which a booking failed."""
    return next((one for one in doors if one.state == "failed"), None)


def due_of(booking: Row[Any]) -> Instant:
    """From when on a policy holds the booking; what gives no right is not to be in any."""
    return int(booking.start) if booking.status == "confirmed" else 0


def owe(connection: Connection, bookings: Sequence[Row[Any]], now: Instant) -> None:
    """Note that every door on the way is to learn of these bookings as they stand.

    So are doors that were on the way before: there the old window is closed. To be called in
    the transaction that changed them.
    """
    if not bookings:
        return
    ways = by_room(connection, connection.execute(select(_DOOR)))
    rows = [
        {"booking_id": one.id, "door_id": door.id, "change_id": one.change_id, "since": now}
        | {"due": due_of(one), "state": "waiting", "why": ""}
        for one in bookings
        for door in ways.get(one.room_id, ())
    ]
    _close_others(connection, bookings, now)
    if rows:
        connection.execute(_UPSERT[connection.dialect.name], rows)


def settle(connection: Connection, now: Instant, horizon_ms: int) -> list[dict[str, Any]]:
    """What `work` has to write (`write`) since doors reported: open rows that are judged anew."""
    open_ = list(connection.execute(_OPEN, {"until": now + horizon_ms}))
    if not open_:
        return []
    doors = {row.id: row for row in connection.execute(_DOORS)}
    found = []
    for row in open_:
        owed = Owed(row.change_id, row.due, row.since)
        state, since, why = judged(doors[row.door_id], owed, now, horizon_ms)
        if (state, why) != (row.state, row.why):
            found.append(
                {"row": row.id, "of": row.change_id, "is": state, "from": since, "because": why}
            )
    return found


def write(connection: Connection, settled: Sequence[Mapping[str, Any]]) -> None:
    """Keep what `settle` found; a row that was changed meanwhile stays open."""
    if settled:
        connection.execute(_SETTLE, list(settled))


def _close_others(connection: Connection, bookings: Sequence[Row[Any]], now: Instant) -> None:
    """Doors that led to the room a booking had before: its window there is to be closed."""
    moved = (
        update(_KEPT)
        .where(_KEPT.c.booking_id == bindparam("booking"))
        .values(
            change_id=bindparam("change"),
            state="waiting",
            since=now,
            due=0,
            why="",
        )
    )
    connection.execute(moved, [{"booking": one.id, "change": one.change_id} for one in bookings])


def _upsert(dialect_insert: Any) -> Any:
    made = dialect_insert(_KEPT)
    fresh = {name: made.excluded[name] for name in ("change_id", "state", "since", "due", "why")}
    return made.on_conflict_do_update(index_elements=["booking_id", "door_id"], set_=fresh)


_UPSERT = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}
