"""The tables of a site's TOML. Durations in milliseconds unless the key says minutes or hours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from kokubus.door_state import DoorSpec
from kokubus.messages import Side
from kokubus.rights import AntiPassback
from kokubus.site.opening import DAYS, HOLIDAY, hours
from kokubus.site.readers import Reader
from kokubus.site.sensors import Sensor
from kokubus.site.ways import Edge, rooms_behind
from kokubus.site.words import Id, Pin, Shape, Text

OUTSIDE = "outside"
_PHONE = re.compile(r"\+[1-9][0-9]*( [0-9]+)*")


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text) or not 8 <= sum(map(str.isdigit, text)) <= 15:
        raise ValueError(f"{text!r} is not international; write it as +49 30 23125 000")
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"{text!r} is no time zone; use a name such as Europe/Berlin") from error
    return text


def _hours(text: str) -> str:
    hours(text)
    return text


def _clock(text: str) -> str:
    hours(f"{text}-24:00")
    return text


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no date; write it as 2026-12-24")


Day = tuple[Annotated[str, AfterValidator(_hours)], ...]
Clock = Annotated[str, AfterValidator(_clock)]
Degrees = Annotated[float | None, Field(ge=-180, le=180, allow_inf_nan=False)]


class Heading(Shape):
    """``[site]``. ``help_phone`` stands beside every denial.

    ``no_show_min`` after its start a booking to which nobody came is released;
    ``early_end_min`` after the last of its people went out it ends. Left out: never.

    ``part_of`` names the device whose part of the site this is (`kokubus.site.part`).
    """

    id: Id
    name: Text
    kind: Literal["building", "container"]
    timezone: Annotated[str, AfterValidator(_timezone)] = "Europe/Berlin"
    help_phone: Annotated[str, AfterValidator(_phone)]
    lead_min: Annotated[int, Field(ge=0, le=240)] = 15
    grace_min: Annotated[int, Field(ge=0, le=240)] = 15
    no_show_min: Annotated[int | None, Field(ge=5, le=1_440)] = None
    early_end_min: Annotated[int | None, Field(ge=1, le=1_440)] = None
    opens_without_clock: bool = False
    daily_reset: Clock = "04:00"
    policy_horizon_days: Annotated[int | None, Field(ge=1, le=31)] = None
    policy_expiry_hours: Annotated[int | None, Field(ge=1, le=720)] = None
    part_of: Id | None = None


class Week(Shape):
    """``[opening]``: hours of each day (`kokubus.site.opening`); a day left out is closed.

    ``holiday``: hours on public holidays, which otherwise are days like any other.
    ``[opening.exceptions]``: hours of single dates, before everything else.
    """

    mon: Day = ()
    tue: Day = ()
    wed: Day = ()
    thu: Day = ()
    fri: Day = ()
    sat: Day = ()
    sun: Day = ()
    holiday: Day | None = None
    exceptions: Mapping[Annotated[str, AfterValidator(_day)], Day] = Field(default_factory=dict)

    @property
    def by_day(self) -> dict[str, tuple[str, ...]]:
        """Hours by ``mon`` to ``sun`` where open, ``holiday`` and ISO dates where named."""
        week = {day: getattr(self, day) for day in DAYS}
        named = {} if self.holiday is None else {HOLIDAY: self.holiday}
        return {day: spans for day, spans in week.items() if spans} | named | dict(self.exceptions)


class Placement(Shape):
    """``[[placement]]``: the site stands here from the day ``from`` to before the day ``until``.

    ``latitude`` and ``longitude`` in degrees (WGS 84) let the hub tell a badge that is in two
    places at once.
    """

    municipality: Id
    municipality_name: Text
    address: Text
    start: Annotated[date, Field(alias="from")]
    end: Annotated[date | None, Field(alias="until")] = None
    latitude: Annotated[Degrees, Field(ge=-90, le=90)] = None
    longitude: Degrees = None


class Room(Shape):
    """``[[room]]``: ``capacity`` in people; ``volume_m3`` is what counting by CO2 needs.

    ``desks`` are booked one by one; without them the room is booked as a whole.
    ``reserve`` of the places are kept for bookings: flexible rights end before them.
    """

    id: Id
    name: Text
    purpose: Annotated[str, Field(max_length=120)] = ""
    capacity: Annotated[int, Field(ge=1, le=500)]
    desks: Annotated[int | None, Field(ge=1, le=500)] = None
    reserve: Annotated[int, Field(ge=0, le=500)] = 0
    volume_m3: Annotated[float | None, Field(gt=0, le=100_000, allow_inf_nan=False)] = None


class Pins(Shape):
    """``[door.pins]``. Contact, tamper switch and exit button close to ground.

    So a cut wire reads open, or tampered with. ``exit_pir``: not a button but a PIR, whose
    output rises. ``lock`` drives the relay that lets the door open while it is energised: a
    fail-secure strike hangs on the relay's NO contact, a fail-safe magnet on NC.
    """

    lock: Pin
    lock_active_high: bool = True
    contact: Pin | None = None
    exit: Pin | None = None
    exit_pir: bool = False
    tamper: Pin | None = None
    led_red: Pin | None = None
    led_green: Pin | None = None
    buzzer: Pin | None = None

    def wires(self) -> Iterator[tuple[str, int]]:
        """(key, pin) of all that is connected."""
        for key in ("lock", "contact", "exit", "tamper", "led_red", "led_green", "buzzer"):
            pin = getattr(self, key)
            if pin is not None:
                yield key, pin


class Door(Shape):
    """``[[door]]``: leads from ``from`` (a room, or ``outside``) into ``room``."""

    id: Id
    name: Text
    room: Id
    leads_from: Annotated[Id, Field(alias="from")] = OUTSIDE
    device: Id
    lock: Literal["fail_secure", "fail_safe"] = "fail_secure"
    continuous_duty: bool = False
    free_passage: bool = False
    exit_unlocks: bool = False
    pulse_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    permitted_open_ms: Annotated[int, Field(ge=1_000, le=3_600_000)] = 30_000
    deadline_ms: Annotated[int, Field(ge=50, le=5_000)] = 400
    anti_passback: AntiPassback = AntiPassback.OFF
    min_assurance: Annotated[int, Field(ge=0, le=9)] = 0
    pins: Pins
    reader: tuple[Reader, ...] = ()

    @property
    def edge(self) -> Edge[str]:
        """(from, into), as `kokubus.site.ways` has it."""
        return None if self.leads_from == OUTSIDE else self.leads_from, self.room

    @property
    def reads_both_sides(self) -> bool:
        """Whether people badge in and out."""
        return {reader.side for reader in self.reader} == {Side.IN, Side.OUT}

    @property
    def spec(self) -> DoorSpec:
        """What the door's state machine needs to know."""
        return DoorSpec(
            id=self.id,
            pulse_ms=self.pulse_ms,
            permitted_open_ms=self.permitted_open_ms,
            deadline_ms=self.deadline_ms,
            exit_unlocks=self.exit_unlocks,
            has_contact=self.pins.contact is not None,
            has_keypad=any(reader.is_keypad for reader in self.reader),
            reports_exit=self.pins.exit is not None or self.reads_both_sides,
        )


class Site(Heading):
    """A whole site. ``opening`` is `Week.by_day`."""

    opening: Mapping[str, tuple[str, ...]]
    placements: tuple[Placement, ...]
    rooms: tuple[Room, ...]
    sensors: tuple[Sensor, ...]
    doors: tuple[Door, ...]

    @property
    def devices(self) -> tuple[str, ...]:
        """The ids of the Raspberry Pis that doors and sensors name, in order."""
        doors = [door.device for door in self.doors]
        return tuple(dict.fromkeys(doors + [sensor.device for sensor in self.sensors]))

    def doors_of(self, device: str) -> tuple[Door, ...]:
        """The doors a device drives."""
        return tuple(door for door in self.doors if door.device == device)

    def sensors_of(self, device: str) -> tuple[Sensor, ...]:
        """The sensors a device reads."""
        return tuple(sensor for sensor in self.sensors if sensor.device == device)

    def placement_on(self, day: date) -> Placement | None:
        """Where the site stands on a day; None while a container is in transit."""
        held = (p for p in self.placements if p.start <= day and (p.end is None or day < p.end))
        return next(held, None)

    def rooms_behind(self, door: Door) -> tuple[str, ...]:
        """The rooms a door is on the way to: a right to one of them opens it."""
        return rooms_behind(door.edge, [each.edge for each in self.doors])
