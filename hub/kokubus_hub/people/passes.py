"""Passes of guests: a PIN and a link for somebody who has a booking and no badge.

The PIN is a credential as a badge is, so hub and door decide about it by the same rule: it opens
what its holder has booked, and nothing else. The link's token and the PIN are sealed in the
database; a day after the booking the PIN is forgotten.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    exists,
    insert,
    or_,
    select,
    union,
    update,
)

from kokubus.credential import PIN, Credential
from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.bulk import among, listed
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.people import pins
from kokubus_hub.people.members import number_of

KEPT_MS = 86_400_000
"""For so long after its booking a PIN is kept; then nobody can read it any more."""
PURPOSE = "pass"

_PASS, _BADGE, _MEMBER = table(models.GuestPass), table(models.Badge), table(models.Member)
_BOOKING, _HOLDER, _ROOM = (
    table(models.Booking),
    table(models.BookingHolder),
    table(models.Room),
)
_ALL = (
    select(_PASS, _MEMBER.c.slug.label("member"), _BADGE.c.sealed_uid, _BADGE.c.status)
    .join_from(_PASS, _BADGE)
    .join(_MEMBER, _MEMBER.c.id == _PASS.c.member_id)
    .order_by(_PASS.c.id)
)
_OF_BOOKINGS = among(_ALL, _PASS.c.booking_id, "bookings")
_HAS_BADGE = (
    select(_BADGE.c.id)
    .where(_BADGE.c.member_id == _MEMBER.c.id, _BADGE.c.status == "active", _BADGE.c.tech != PIN)
    .exists()
)
_GUESTS = select(_MEMBER.c.id).where(_MEMBER.c.kind == "guest", ~_HAS_BADGE)
A_TURN = 200
"""So many bookings' guests get their passes in one transaction: a tap may wait for it."""


def _ahead(query: Select[Any], whose: ColumnElement[Any]) -> Select[Any]:
    """Of bookings to come, those of which one of these has no pass, or one that was over."""
    given = exists().where(
        _PASS.c.booking_id == _BOOKING.c.id,
        _PASS.c.member_id == whose,
        _BADGE.c.id == _PASS.c.badge_id,
        _BADGE.c.status != "replaced",
    )
    return query.where(_BOOKING.c.status == "confirmed", _BOOKING.c.end > bindparam("now"), ~given)


def _lacking(query: Select[Any], whose: ColumnElement[Any]) -> Select[Any]:
    """Found by the guests there are, who are few."""
    return _ahead(query, whose).where(whose.in_(_GUESTS))


def _without(query: Select[Any], whose: ColumnElement[Any]) -> Select[Any]:
    """Found by their bookings."""
    asked = _BOOKING.c.id.in_(bindparam("bookings", expanding=True))
    named = query.join(_ROOM, _ROOM.c.id == _BOOKING.c.room_id).join(_MEMBER, _MEMBER.c.id == whose)
    guest = named.where(asked, _MEMBER.c.kind == "guest", ~_HAS_BADGE)
    return _ahead(guest, whose).add_columns(_ROOM.c.site_id, _MEMBER.c.id.label("member"))


_OF_BOOKER = select(_BOOKING.c.id), _BOOKING.c.member_id
_OF_OTHERS = select(_BOOKING.c.id).join_from(_BOOKING, _HOLDER), _HOLDER.c.member_id
_LACKING = union(_lacking(*_OF_BOOKER), _lacking(*_OF_OTHERS)).limit(A_TURN)
_WITHOUT = union(_without(*_OF_BOOKER), _without(*_OF_OTHERS))


@dataclass(frozen=True, slots=True)
class Pass:
    """What somebody is sent. ``pin`` is None once it is over; ``change`` as in the model."""

    booking: int
    member: str
    pin: str | None
    token: str
    change: int

    def __repr__(self) -> str:
        return f"Pass(booking={self.booking}, member={self.member!r}, ...)"


def provide(
    connection: Connection, keyring: Keyring, now: Instant, bookings: Sequence[int] | None = None
) -> int:
    """Give every guest of these bookings who lacks one a pass; how many.

    None means the first `A_TURN` to come of which one lacks it.
    """
    if bookings is None:
        bookings = list(connection.execute(_LACKING, {"now": now}).scalars())
    found = connection.execute(_WITHOUT, {"bookings": list(bookings), "now": now})
    waiting = sorted(found, key=attrgetter("id", "member"))
    if not waiting:
        return 0
    change = changes.record(connection, now, "passes given")
    for row in waiting:
        _give(connection, keyring, row, change, now)
    return len(waiting)


def wanted(connection: Connection, now: Instant) -> bool:
    """Whether a guest of a booking to come lacks a pass."""
    return connection.execute(_LACKING, {"now": now}).first() is not None


def of_bookings(
    connection: Connection, keyring: Keyring, bookings: Iterable[int]
) -> dict[int, list[Pass]]:
    """The passes by booking."""
    found: dict[int, list[Pass]] = {}
    asked = _OF_BOOKINGS[connection.dialect.name]
    for row in connection.execute(asked, {"bookings": listed(bookings)}):
        found.setdefault(row.booking_id, []).append(_pass(row, keyring))
    return found


def by_token(connection: Connection, keyring: Keyring, token: str) -> Pass | None:
    """Whose link this is; None if it is nobody's."""
    row = connection.execute(_ALL.where(_PASS.c.token_hash == _hash(token))).one_or_none()
    return _pass(row, keyring) if row else None


def retire(connection: Connection, keyring: Keyring, now: Instant) -> int:
    """Forget the PINs whose booking is a day past or was cancelled a day ago; how many."""
    current = (
        select(_PASS.c.badge_id)
        .join_from(_PASS, _BOOKING)
        .where(
            _BOOKING.c.end >= now - KEPT_MS,
            or_(_BOOKING.c.status == "confirmed", _BOOKING.c.changed_at >= now - KEPT_MS),
        )
    )
    over = _BADGE.c.id.in_(select(_PASS.c.badge_id)) & _BADGE.c.id.not_in(current)
    query = select(_BADGE.c.id).where(_BADGE.c.tech == PIN, _BADGE.c.status == "active", over)
    badges = list(connection.execute(query).scalars())
    for badge in badges:
        text = Credential(PIN, f"over-{badge}").text  # which no keypad can type
        nothing = {"lookup": keyring.lookup(text), "sealed_uid": keyring.seal(text, "badge")}
        gone = update(_BADGE).where(_BADGE.c.id == badge)
        connection.execute(gone.values(nothing | {"status": "replaced"}))
    if badges:
        changes.record(connection, now, "passes over")
    return len(badges)


def _give(
    connection: Connection, keyring: Keyring, row: Row[Any], change: int, now: Instant
) -> None:
    badge = _pin_of(connection, row.member) or _draw(connection, keyring, row)
    whose = {"booking_id": row.id, "member_id": row.member}
    again = update(_PASS).where(*(_PASS.c[name] == value for name, value in whose.items()))
    fresh = {"badge_id": badge, "change_id": change}
    if connection.execute(again.values(fresh)).rowcount:
        return  # it was over, and has been sent: the link stays what it is
    token = secrets.token_urlsafe(24)
    sealed = {"token_hash": _hash(token), "sealed_token": keyring.seal(token.encode(), PURPOSE)}
    connection.execute(insert(_PASS).values(whose | fresh | sealed | {"created_at": now}))


def _pin_of(connection: Connection, member: int) -> int | None:
    """The badge of the PIN that somebody has from another booking."""
    mine = (_BADGE.c.member_id == member) & (_BADGE.c.tech == PIN) & (_BADGE.c.status == "active")
    found: int | None = connection.execute(select(_BADGE.c.id).where(mine).limit(1)).scalar()
    return found


def _draw(connection: Connection, keyring: Keyring, row: Row[Any]) -> int:
    def taken(pin: str) -> bool:
        lookup = keyring.lookup(Credential(PIN, pin).text)
        held = select(_BADGE.c.id).where(_BADGE.c.lookup == lookup)
        return connection.execute(held).scalar() is not None

    length = pins.length_for(_users(connection, keyring, row.site_id))
    text = Credential(PIN, pins.draw(length, taken)).text
    badge = insert(_BADGE).values(
        member_id=row.member,
        lookup=keyring.lookup(text),
        sealed_uid=keyring.seal(text, "badge"),
        tech=PIN,
        status="active",
    )
    return int(connection.execute(badge.returning(_BADGE.c.id)).scalar_one())


def _users(connection: Connection, keyring: Keyring, site: int) -> Mapping[int, int]:
    """How many PINs of each length open a door of this site."""
    query = (
        select(_BADGE.c.id, _BADGE.c.sealed_uid)
        .join_from(_PASS, _BADGE)
        .join(_BOOKING, _BOOKING.c.id == _PASS.c.booking_id)
        .join(_ROOM, _ROOM.c.id == _BOOKING.c.room_id)
        .where(_BADGE.c.status == "active", _ROOM.c.site_id == site)
        .distinct()
    )
    return Counter(len(number_of(keyring, row.sealed_uid)) for row in connection.execute(query))


def _pass(row: Row[Any], keyring: Keyring) -> Pass:
    pin = number_of(keyring, row.sealed_uid) if row.status == "active" else None
    token = keyring.open(row.sealed_token, PURPOSE).decode()
    return Pass(row.booking_id, row.member, pin, token, row.change_id)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
