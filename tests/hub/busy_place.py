"""Weeks of use of a place, row by row as the listener and the worker write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from tests.hub.policy_world import World

from kokubus_hub import database, models
from kokubus_hub.models import Base, table
from kokubus_hub.reports import release

ZONE = ZoneInfo("Europe/Berlin")
OPENING = {day: ["08:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
STEP_MS, HOUR_MS, DAY_MS = 300_000, 3_600_000, 86_400_000
_numbers = count(1)


def at(day: date, hour: float = 0.0) -> int:
    """An instant by a place's clock."""
    begins = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    return int(begins.astimezone(UTC).timestamp()) * 1000 + round(hour * HOUR_MS)


LATER = at(date(2026, 12, 1))


def release_all(hub: World, now: int = LATER) -> None:
    """All that reports may tell by then."""
    while release.release_next(hub.engine, now):
        pass


@dataclass
class Place:
    """A site with one room of ``desks``, one door and a CO2 sensor; ids of its rows."""

    hub: World
    site: int
    room: int
    door: int
    device: int
    sensor: int
    motion: int
    desks: int
    rows: dict[type[Base], list[dict[str, Any]]] = field(default_factory=dict)

    def day(
        self,
        day: date,
        members: Iterable[int],
        *,
        booked: Iterable[int] = (),
        missing: Iterable[int] = (),
        hours: tuple[float, float] = (9.0, 16.0),
        turned_away: int = 0,
    ) -> None:
        """Members come and go; ``missing`` have booked and stay away."""
        inside = list(members)
        for number, member in enumerate(inside):
            self._came(member, at(day, hours[0]) + number * 60_000, at(day, hours[1]))
        for member in (*booked, *missing):
            self._booked(member, at(day, 9), at(day, 16), came=member not in list(missing))
        for number in range(turned_away):
            self._denied(at(day, 10 + number))
        self._count(day, len(inside), hours)

    def write(self) -> None:
        """Put everything into the database."""
        with database.writing(self.hub.engine) as connection:
            for model, rows in self.rows.items():
                connection.execute(insert(table(model)), rows)
        self.rows.clear()

    def _add(self, model: type[Base], **values: Any) -> None:
        self.rows.setdefault(model, []).append(values)

    def _tap(self, at: int, *, granted: bool, reason: str, member: int | None, side: str) -> str:
        number = next(_numbers)
        tap = f"busy-{number}"
        self._add(
            models.AccessEvent,
            tap=tap,
            device_id=self.device,
            door_id=self.door,
            at=at,
            received_at=at + 2,
            decided_at=at + 5,
            epoch="e",
            seq=number,
            boot="b",
            uptime_ms=1,
            clock="synced",
            side=side,
            granted=granted,
            reason=reason,
            member_id=member,
        )
        self._add(
            models.Enforcement,
            tap=tap,
            door_id=self.door,
            at=at + 8,
            by="hub",
            granted=granted,
            reason=reason,
            received_at=at + 20,
            policy_age_ms=900,
        )
        return tap

    def _came(self, member: int, into: int, out: int) -> None:
        for side, when in (("in", into), ("out", out)):
            tap = self._tap(when, granted=True, reason="booked", member=member, side=side)
            row = {"door_id": self.door, "at": when + 900, "received_at": when + 950, "tap": tap}
            self._add(models.Passage, **row, side=side, member_id=member)

    def _denied(self, at: int) -> None:
        self._tap(at, granted=False, reason="room_full", member=None, side="in")
        row = {"door_id": self.door, "device_id": self.device, "kind": "door_held"}
        self._add(models.DoorEvent, **row, at=at, received_at=at)

    def _booked(self, member: int, start: int, end: int, *, came: bool) -> None:
        self._add(
            models.Booking,
            room_id=self.room,
            member_id=member,
            start=start,
            end=end,
            created_at=start,
            changed_at=start,
            external_uid=f"b{next(_numbers)}",
            checked_in_at=start if came else None,
        )

    def _count(self, day: date, people: int, hours: tuple[float, float]) -> None:
        first, last = at(day), at(day + timedelta(days=1))
        for when in range(first, last, STEP_MS):
            here = people if at(day, hours[0]) <= when < at(day, hours[1]) else 0
            self._add(
                models.Estimate,
                room_id=self.room,
                at=when,
                median=here,
                mean=float(here),
                variance=0.25 * bool(here),
                low=max(0, here - 1),
                high=here + 1,
                presence=1.0 if here else 0.02,
                capacity=self.desks,
                drift=False,
                weights={"co2": 1.0},
            )
            ppm = 450.0 + 250.0 * here
            self._add(models.Reading, sensor_id=self.sensor, at=when, value=ppm)
            self._add(models.Reading, sensor_id=self.motion, at=when, value=float(here > 0))


def members(hub: World, number: int) -> list[int]:
    """Plainly fictional people."""
    made = []
    for _ in range(number):
        name = f"m-{next(_numbers):08x}"
        made.append(hub.add(models.Member, slug=name, name=f"Probe {name}"))
    return made


def place(hub: World, slug: str, desks: int = 4, kind: str = "container") -> Place:
    """A new site that stands nowhere yet."""
    site = hub.add(models.Site, slug=slug, name=slug.title(), kind=kind, opening=OPENING)
    room = hub.add(
        models.Room, site_id=site, slug=f"{slug}-room", name="Raum", capacity=desks, purpose="desks"
    )
    device = hub.add(models.Device, site_id=site, slug=f"{slug}-1", online=True, status_at=0)
    door = hub.add(
        models.Door, site_id=site, device_id=device, room_id=room, slug=f"{slug}-door", name="Tür"
    )
    row = {"site_id": site, "room_id": room, "device_id": device}
    co2, pir = (
        hub.add(models.Sensor, **row, slug=f"{slug}-{quantity}", quantity=quantity)
        for quantity in ("co2", "pir")
    )
    return Place(hub, site, room, door, device, co2, pir, desks)


def town(hub: World, slug: str) -> int:
    """A municipality."""
    return hub.add(models.Municipality, slug=slug, name=slug.title())


def stands(hub: World, where: Place, municipality: int, first: date, last: date | None) -> int:
    """A placement; ``last`` is the day it leaves on."""
    row = {"site_id": where.site, "municipality_id": municipality, "start": at(first)}
    return hub.add(models.Placement, **row, end=None if last is None else at(last))


def weekdays(first: date, weeks: int) -> list[date]:
    """Monday to Friday of ``weeks`` weeks; ``first`` is a Monday."""
    return [first + timedelta(days=7 * week + day) for week in range(weeks) for day in range(5)]


def use(where: Place, days: Sequence[date], people: Sequence[int], seed: int, most: int) -> None:
    """Days on which some of the people come, at most ``most`` at once."""
    rng = Random(seed)
    for day in days:
        here = rng.sample(list(people), min(len(people), rng.randint(1, most)))
        away = [one for one in people if one not in here][:1] if rng.random() < 0.3 else []
        where.day(day, here, booked=here[: len(here) // 2], missing=away, turned_away=len(away))
    where.write()
