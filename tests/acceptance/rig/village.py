"""Where the tests take place: a house with two agents, and who may enter it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select, update

from kokubus.credential import Credential
from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.database import reading, writing
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table

SITE = "dorf"
DEVICES = FIRST, SECOND = "dorf-1", "dorf-2"
FRONT, SIDE, MEETING = "dorf-front", "dorf-side", "dorf-meeting-door"
DOORS = {FRONT: FIRST, SIDE: SECOND, MEETING: SECOND}
HALL, MEETING_ROOM = "dorf-hall", "dorf-meeting"
HOUR_MS = 3_600_000
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TOML = """
[site]
id = "dorf"
name = "Dorf"
kind = "building"
help_phone = "+49 30 23125 099"
[[placement]]
municipality = "musterdorf"
municipality_name = "Musterdorf"
address = "Musterweg 1"
from = 2025-01-01
[opening]
{opening}
[[room]]
id = "dorf-hall"
name = "Saal"
capacity = 30
volume_m3 = 150.0
[[room]]
id = "dorf-meeting"
name = "Besprechung"
capacity = 8
volume_m3 = 50.0
[[door]]
id = "dorf-front"
name = "Haustür"
room = "dorf-hall"
device = "dorf-1"
deadline_ms = {deadline_ms}
pulse_ms = {pulse_ms}
pins = {{ lock = 17, contact = 27, exit = 22, led_red = 5, led_green = 6, buzzer = 13 }}
[[door.reader]]
kind = "mfrc522"
side = "in"
[[door.reader]]
kind = "mfrc522"
side = "out"
device = 1
reset = 26
[[door]]
id = "dorf-side"
name = "Seitentür"
room = "dorf-hall"
device = "dorf-2"
deadline_ms = {deadline_ms}
pulse_ms = {pulse_ms}
pins = {{ lock = 23, lock_active_high = false, contact = 24 }}
[[door.reader]]
kind = "mfrc522"
[[door.reader]]
kind = "wiegand"
side = "in"
data0 = 5
data1 = 6
[[door]]
id = "dorf-meeting-door"
name = "Tür zur Besprechung"
room = "dorf-meeting"
from = "dorf-hall"
device = "dorf-2"
deadline_ms = {deadline_ms}
pulse_ms = {pulse_ms}
pins = {{ lock = 12, contact = 16 }}
[[door.reader]]
kind = "mfrc522"
device = 1
reset = 26
"""


def site_toml(*, deadline_ms: int, pulse_ms: int) -> str:
    """The site's file; ``dorf-side`` has a keypad, and a relay that is energised by a low pin."""
    opening = "\n".join(f'{day} = ["00:00-24:00"]' for day in _DAYS)
    return _TOML.format(opening=opening, deadline_ms=deadline_ms, pulse_ms=pulse_ms)


def now() -> Instant:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a badge: ids of the rows."""

    member: int
    badge: int
    uid: str


class Village:
    """The hub's database as a coordinator would fill it."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self.engine = engine
        self._keyring = keyring

    def enrol(self, uid: str) -> Person:
        """A member with this badge and no right."""
        text = Credential("mfrc522", uid).text
        lookup = self._keyring.lookup(text)
        with writing(self.engine) as connection:
            member = _id(connection, models.Member, slug=f"m-{lookup[:8]}", name=f"Person {uid}")
            sealed = self._keyring.seal(text, "badge")
            badge = _id(
                connection, models.Badge, member_id=member, lookup=lookup, sealed_uid=sealed
            )
            changes.record(connection, now(), "enrolled")
        return Person(member, badge, uid)

    def book(self, person: Person, room: str = HALL) -> int:
        """A booking from an hour ago for a day, by the id of its row."""
        with writing(self.engine) as connection:
            room_id = connection.execute(
                select(models.Room.id).where(models.Room.slug == room)
            ).scalar_one()
            booking = _id(
                connection,
                models.Booking,
                room_id=room_id,
                member_id=person.member,
                start=now() - HOUR_MS,
                end=now() + 24 * HOUR_MS,
                created_at=now(),
                changed_at=now(),
            )
            changes.record(connection, now(), "booked")
        return booking

    def cancel(self, booking: int) -> None:
        """Take a booking back."""
        with writing(self.engine) as connection:
            booked = update(models.Booking).where(models.Booking.id == booking)
            connection.execute(booked.values(status="cancelled", changed_at=now()))
            changes.record(connection, now(), "cancelled")

    def entitle(self, person: Person) -> None:
        """A standing right to the whole site, at any time and without an end."""
        always = {day: ["00:00-24:00"] for day in _DAYS}
        with writing(self.engine) as connection:
            site = connection.execute(select(models.Site.id)).scalar_one()
            right = {"member_id": person.member, "site_id": site, "schedule": always}
            _id(connection, models.Entitlement, **right)
            changes.record(connection, now(), "entitled")

    def key(self, person: Person) -> None:
        """One of the site's keys: caretaker, fire brigade."""
        with writing(self.engine) as connection:
            site = connection.execute(select(models.Site.id)).scalar_one()
            _id(connection, models.Keyholder, site_id=site, badge_id=person.badge)
            changes.record(connection, now(), "key given")

    def block(self, person: Person) -> None:
        """Their badge was lost."""
        with writing(self.engine) as connection:
            badge = update(models.Badge).where(models.Badge.id == person.badge)
            connection.execute(badge.values(status="blocked"))
            changes.record(connection, now(), "blocked")

    def member(self, uid: str) -> Person:
        """Somebody who has booked the hall."""
        person = self.enrol(uid)
        self.book(person)
        return person

    def rows(self, model: type[models.Base], **equal: Any) -> list[Any]:
        """The rows of a table, oldest first."""
        source = table(model)
        query = select(source).filter_by(**equal).order_by(*source.primary_key)
        with reading(self.engine) as connection:
            return list(connection.execute(query))

    def room(self, slug: str) -> int:
        """A room's id."""
        return int(self.rows(models.Room, slug=slug)[0].id)


def _id(connection: Any, model: type[models.Base], **values: Any) -> int:
    target = table(model)
    added = connection.execute(insert(target).values(**values).returning(target.c.id))
    return int(added.scalar_one())
