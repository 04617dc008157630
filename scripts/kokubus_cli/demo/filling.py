"""The members of the network, their badges and rights, and an operator to watch them.

Everything goes through the hub's own functions. Done again in a directory that was kept, it adds
what is missing. Apart from `prepare`, as this needs more of the hub and loads while it starts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Table, insert, select

from kokubus.messages import Instant
from kokubus_cli.demo.cast import EMAIL, Person
from kokubus_cli.demo.rooms import begin_empty
from kokubus_hub import changes, database, models
from kokubus_hub.bookings.service import make
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.imports.members import import_members
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.people import service as people
from kokubus_hub.problems import ProblemError
from kokubus_hub.settings import Settings

QUARTER_MS = 15 * 60_000
MINUTE_MS = 60_000
_MEMBER, _BADGE, _SITE = table(models.Member), table(models.Badge), table(models.Site)
_KEYHOLDER, _ENTITLEMENT = table(models.Keyholder), table(models.Entitlement)


@dataclass(frozen=True, slots=True)
class Filled:
    """``token`` signs the operator in once; doors that have ``change`` know everybody."""

    token: str
    change: int


def fill(
    settings: Settings, engine: Engine, cast: Sequence[Person], clock: Callable[[], Instant]
) -> Filled:
    """Members, badges, rights and an operator."""
    keyring = Keyring.load(settings.keys_dir)
    import_members(engine, keyring, _members(cast), _badges(cast), clock)
    with database.writing(engine) as connection:
        change = give_rights(connection, cast, clock())
        begin_empty(connection, clock())
    with database.session_writing(engine) as session:
        operator = people.operator_by_email(session, EMAIL)
        operator = operator or people.add_operator(session, "Demo", EMAIL, clock())
        return Filled(people.make_link(session, operator.id, clock()), change)


def give_rights(connection: Connection, cast: Iterable[Person], now: Instant) -> int:
    """Bookings around ``now``, standing rights and keys; those there are already stay.

    The id of the change that doors confirm once they have them all.
    """
    for person in cast:
        row = connection.execute(select(_MEMBER).where(_MEMBER.c.email == person.email)).one()
        _book(connection, person, row.slug, now)
        if person.plan is not None:
            right = {"member_id": row.id, "site_id": _site(connection, person.plan)}
            _once(connection, _ENTITLEMENT, right)
        if person.key is not None:
            badge = select(_BADGE.c.id).where(_BADGE.c.member_id == row.id)
            key = {"badge_id": connection.execute(badge).scalar_one()}
            _once(connection, _KEYHOLDER, key | {"site_id": _site(connection, person.key)})
    return changes.record(connection, now, "demo: rights")


def _book(connection: Connection, person: Person, member: str, now: Instant) -> None:
    if person.booking is None:
        return
    zero = now - now % QUARTER_MS
    start, end = (
        datetime.fromtimestamp((zero + minutes * MINUTE_MS) / 1000, UTC)
        for minutes in (person.booking.start, person.booking.end)
    )
    try:
        make(connection, Wanted(room=person.booking.room, member=member, span=(start, end)), now)
    except ProblemError as error:
        if error.status != 409:  # a kept directory has it from the last time
            raise


def _once(connection: Connection, target: Table, values: dict[str, int]) -> None:
    same = [target.c[key] == value for key, value in values.items()]
    if connection.execute(select(target.c.id).where(*same)).first() is None:
        connection.execute(insert(target).values(**values))


def _site(connection: Connection, slug: str) -> int:
    return int(connection.execute(select(_SITE.c.id).where(_SITE.c.slug == slug)).scalar_one())


def _members(cast: Iterable[Person]) -> tuple[str, bytes]:
    rows = [
        (person.name, person.email, "gesperrt" if person.suspended else "aktiv") for person in cast
    ]
    return _sheet("members.csv", ("Name", "E-Mail", "Status"), rows)


def _badges(cast: Iterable[Person]) -> tuple[str, bytes]:
    rows = [
        (person.uid, person.badge, person.email, "gesperrt" if person.blocked else "aktiv")
        for person in cast
    ]
    return _sheet("badges.csv", ("UID", "Nummer", "E-Mail", "Status"), rows)


def _sheet(name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[str, bytes]:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([head, *rows])
    return name, text.getvalue().encode()
