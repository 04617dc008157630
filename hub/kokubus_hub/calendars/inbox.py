"""What somebody has to say about imported bookings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.people import guests
from kokubus_hub.people.guests import Person
from kokubus_hub.people.members import member_by_slug
from kokubus_hub.problems import ProblemError, not_found

Kind: TypeAlias = Literal["unknown_person", "nobody", "conflict", "changed_twice"]
_DOUBT, _ROOM = table(models.Doubt), table(models.Room)
_ALIAS, _FEED = table(models.EmailAlias), table(models.Feed)
DOUBTS = select(_DOUBT, _ROOM.c.slug.label("room")).join_from(_DOUBT, _ROOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody says: whose address it is, that it is a guest's, or that it is fine so."""

    member: str | None = None
    guest: bool = False


def note(
    connection: Connection,
    room: int,
    kind: Kind,
    about: str,
    detail: Mapping[str, Any],
    now: Instant,
) -> None:
    """Something to look at; said again it is not a second thing, and what was settled stays so."""
    row = {"room_id": room, "kind": kind, "about": about[:300], "detail": dict(detail), "at": now}
    connection.execute(_NOTE[connection.dialect.name], [row])


def standing(connection: Connection, room: int, kind: Kind) -> set[str]:
    """What of this kind is open, by what it is about."""
    open_ = select(_DOUBT.c.about).where(
        _DOUBT.c.room_id == room, _DOUBT.c.kind == kind, _DOUBT.c.settled.is_(None)
    )
    return set(connection.execute(open_).scalars())


def gone(connection: Connection, room: int, kind: Kind, about: str, now: Instant) -> None:
    """Nothing to look at any more."""
    over = update(_DOUBT).where(
        _DOUBT.c.room_id == room,
        _DOUBT.c.kind == kind,
        _DOUBT.c.about == about[:300],
        _DOUBT.c.settled.is_(None),
    )
    connection.execute(over.values(settled="gone", settled_at=now))


def by_id(connection: Connection, doubt: int) -> Row[Any]:
    """One of them; ProblemError 404."""
    row = connection.execute(DOUBTS.where(_DOUBT.c.id == doubt)).one_or_none()
    if row is None:
        raise not_found("inbox entry", doubt)
    return row


def settle(connection: Connection, doubt: int, answer: Answer, now: Instant) -> Row[Any]:
    """Take somebody's word. An address is remembered, wherever it stands; calendars read again.

    ProblemError 404 for an unknown entry or member, 409 if it is settled, 422 if the answer
    does not fit.
    """
    row = by_id(connection, doubt)
    if row.settled is not None:
        raise ProblemError(409, "This was settled already.")
    if row.kind != "unknown_person" and (answer.member or answer.guest):
        raise ProblemError(422, "This is not about a person; say nothing, to have seen it.")
    settled = "seen"
    if row.kind == "unknown_person":
        settled = _person(connection, row, answer, now)
    same = (_DOUBT.c.kind == row.kind) & (_DOUBT.c.about == row.about) & _DOUBT.c.settled.is_(None)
    which = same if row.kind == "unknown_person" else _DOUBT.c.id == doubt
    said = update(_DOUBT).where(which).values(settled=settled, settled_at=now)
    rooms = set(connection.execute(said.returning(_DOUBT.c.room_id)).scalars())
    again = update(_FEED).where(_FEED.c.room_id.in_(rooms))
    connection.execute(again.values(etag=None, modified=None, next_at=now))
    return by_id(connection, doubt)


def _person(connection: Connection, row: Row[Any], answer: Answer, now: Instant) -> str:
    email = row.about
    if answer.guest:
        guests.welcome(connection, Person(email=email, name=row.detail.get("name", "")), now)
        return "guest"
    member = member_by_slug(connection, answer.member).id if answer.member else None
    known = {"email": email, "member_id": member, "created_at": now}
    connection.execute(_REMEMBER[connection.dialect.name], [known])
    return "member" if member else "nobody"


def _note(dialect_insert: Any) -> Any:
    made = dialect_insert(_DOUBT)
    return made.on_conflict_do_update(
        index_elements=["room_id", "kind", "about"],
        set_={"detail": made.excluded.detail, "at": made.excluded.at, "settled": None},
        where=_DOUBT.c.settled == "gone",
    )


def _remember(dialect_insert: Any) -> Any:
    made = dialect_insert(_ALIAS)
    fresh = {"member_id": made.excluded.member_id, "created_at": made.excluded.created_at}
    return made.on_conflict_do_update(index_elements=["email"], set_=fresh)


_REMEMBER = {"sqlite": _remember(sqlite.insert), "postgresql": _remember(postgresql.insert)}
_NOTE = {"sqlite": _note(sqlite.insert), "postgresql": _note(postgresql.insert)}
