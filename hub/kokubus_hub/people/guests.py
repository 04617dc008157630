"""Guests: people known by a booking alone, from the moment it is made."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.models import table
from kokubus_hub.people.slugs import new_slug

_MEMBER, _ALIAS = table(models.Member), table(models.EmailAlias)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as a booking names them."""

    email: str
    name: str = ""
    language: str = "de"


def known(connection: Connection, email: str) -> int | None:
    """The member or guest with this address, or with it as another of theirs; by row id."""
    address = email.strip().lower()
    own = select(_MEMBER.c.id).where(
        or_(_MEMBER.c.email == address, func.lower(_MEMBER.c.email) == address),
        _MEMBER.c.status.not_like("staged:%"),
    )
    alias = select(_ALIAS.c.member_id).where(_ALIAS.c.email == address)
    found = connection.execute(own.limit(1)).scalar()
    return found if found is not None else connection.execute(alias).scalar()


def welcome(connection: Connection, person: Person, now: Instant) -> int:
    """The row id of whoever has this address; a guest is made of somebody unknown."""
    changes.queue(connection)
    found = known(connection, person.email)
    if found is not None:
        return found
    changes.record(connection, now, "guest added")
    made = insert(_MEMBER).values(
        slug=new_slug(),
        kind="guest",
        name=person.name.strip() or person.email.partition("@")[0],
        email=person.email.strip().lower(),
        language=person.language,
        status="active",
    )
    return int(connection.execute(made.returning(_MEMBER.c.id)).scalar_one())
