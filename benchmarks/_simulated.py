"""Days as they are lived in a room, and what its sensors say of them.

Nothing here uses the filter's own model: people have habits (a morning and an afternoon wave,
lunch, meetings, a visitor, somebody who stays late), not rates; they breathe and move each in
their own way; the air is stirred by windows. Faults: a tenth walks in behind somebody else's
badge, three in ten forget to badge out, the beam misses one passage in twenty and sees one in
a hundred twice, each day one sensor is dead for an hour, and windows are opened.

Sources: CO2 a person, 13 to 24 l/h by body and desk work, and the room's mass balance: Persily
and de Jonge (2017), Carbon dioxide generation rates for building occupants, Indoor Air 27,
868-879, and ASTM D6245; 0.4 to 1.6 air changes an hour with closed windows and 4 to 10 with an
open one: the ranges usual in ventilation practice; a PIR sees somebody who types now and then
and misses who reads: each person is lively or still for some minutes at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp
from random import Random

from kokubus.messages import Side
from kokubus.occupancy import Co2, Evidence, Passage, Pir, RoomModel, Sensor

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
MONDAY = 1_789_948_800_000
"""2026-09-21 00:00 UTC; the simulated site keeps UTC."""
TAILGATING, FORGOTTEN, BEAM_MISSES, BEAM_TWICE = 0.10, 0.30, 0.05, 0.01
OPENS, CLOSES = 7 * HOUR + 30 * MINUTE, 19 * HOUR
OUTDOOR_PPM = 420.0


@dataclass(frozen=True, slots=True)
class Room:
    """A room as it is, which need not be as its model says."""

    capacity: int
    volume_m3: float
    regulars: float


ROOMS = (Room(6, 85.0, 3.0), Room(10, 150.0, 5.0), Room(16, 260.0, 8.0))


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody is inside from ``start`` to ``end``."""

    start: int
    end: int
    litres_h: float
    lively: float


@dataclass(slots=True)
class Recording:
    """One room over some days: the truth by the minute, and all evidence in order."""

    room: Room
    days: int
    stays: list[Stay] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def windows(self) -> list[tuple[int, int]]:
        """When the site is open: every weekday."""
        days = [MONDAY + day * DAY for day in range(self.days) if day % 7 < 5]
        return [(day + OPENS, day + CLOSES) for day in days]

    def model(self, sensors: frozenset[Sensor]) -> RoomModel:
        """What whoever sets the room up types in: capacity, volume, sensors."""
        return RoomModel(
            capacity=self.room.capacity, volume_m3=self.room.volume_m3, sensors=sensors
        )

    def seen_by(self, sensors: frozenset[Sensor]) -> list[Evidence]:
        """The evidence of these sensors alone, in order."""
        return [one for one in self.evidence if _sensor(one) in sensors]

    def truth(self) -> list[int]:
        """People inside at the end of each minute."""
        minutes = self.days * DAY // MINUTE
        change = [0] * (minutes + 1)
        for stay in self.stays:
            change[min(minutes, (stay.start - MONDAY) // MINUTE)] += 1
            change[min(minutes, (stay.end - MONDAY) // MINUTE)] -= 1
        people, inside = [], 0
        for minute in range(minutes):
            inside += change[minute]
            people.append(inside)
        return people


def recorded(room: Room, days: int, seed: int) -> Recording:
    """``days`` days from a Monday on; the same for the same seed."""
    chance = Random(f"{seed}-{room.capacity}")
    made = Recording(room, days)
    for day in range(days):
        if day % 7 < 5:
            made.stays += _people(room, MONDAY + day * DAY, chance)
    passages = sorted(_passages(made.stays, chance), key=lambda one: one.at)
    readings = [*_air(made, chance), *_motion(made, chance)]
    dead = list(_dead_hours(days, chance))
    kept = (one for one in [*passages, *readings] if not _lost(one, dead))
    made.evidence = sorted(kept, key=lambda one: (one.at, not isinstance(one, Passage)))
    return made


def _people(room: Room, day: int, chance: Random) -> Iterator[Stay]:
    """Everybody's comings and goings of a day."""
    for _ in range(_around(room.regulars * chance.uniform(0.6, 1.3), chance, room.capacity)):
        yield from _regular(day, chance)
    for _ in range(_around(room.regulars * 0.3, chance, room.capacity)):
        start = day + round(chance.uniform(9, 17) * HOUR)
        yield _stay(start, start + round(chance.uniform(8, 50) * MINUTE), chance)
    if chance.random() < 0.35:
        start = day + chance.choice((10, 14)) * HOUR
        length = round(chance.uniform(45, 100) * MINUTE)
        for _ in range(chance.randint(2, max(2, room.capacity // 2))):
            late = round(chance.expovariate(1 / (3 * MINUTE)))
            yield _stay(start + late, start + length + late // 2, chance)
    if chance.random() < 0.2:
        start = day + round(chance.uniform(18.5, 19.5) * HOUR)
        yield _stay(start, start + round(chance.uniform(30, 100) * MINUTE), chance)


def _regular(day: int, chance: Random) -> Iterator[Stay]:
    """A day at the desk, or half of one, with lunch outside or at the desk."""
    whole = chance.random() < 0.6
    begin = chance.gauss(8.6, 0.6) if whole or chance.random() < 0.5 else chance.gauss(13.3, 0.5)
    start = day + round(max(7.2, begin) * HOUR)
    end = start + round(chance.gauss(7.8 if whole else 3.6, 0.8) * HOUR)
    end = max(start + 20 * MINUTE, min(end, day + round(20.5 * HOUR)))
    lunch = day + round(chance.gauss(12.3, 0.4) * HOUR)
    body = _stay(start, end, chance)
    if whole and chance.random() < 0.6 and start < lunch < end - HOUR:
        yield Stay(start, lunch, body.litres_h, body.lively)
        start = lunch + round(chance.uniform(25, 60) * MINUTE)
    yield Stay(start, end, body.litres_h, body.lively)


def _stay(start: int, end: int, chance: Random) -> Stay:
    return Stay(start, end, chance.uniform(13.0, 24.0), chance.uniform(0.05, 0.3))


def _around(mean: float, chance: Random, most: int) -> int:
    return min(most, max(0, round(chance.gauss(mean, max(0.7, mean**0.5 * 0.6)))))


def _passages(stays: list[Stay], chance: Random) -> Iterator[Passage]:
    """What reader and beam saw of everybody who went in or out."""
    for stay in stays:
        if chance.random() >= TAILGATING:
            yield Passage(stay.start, Sensor.BADGE, Side.IN)
        if chance.random() >= FORGOTTEN:
            yield Passage(stay.end, Sensor.BADGE, Side.OUT)
        for at, side in ((stay.start, Side.IN), (stay.end, Side.OUT)):
            if chance.random() >= BEAM_MISSES:
                yield Passage(at + round(chance.uniform(0.5, 4) * SECOND), Sensor.BEAM, side)
            if chance.random() < BEAM_TWICE:
                yield Passage(at + round(chance.uniform(5, 8) * SECOND), Sensor.BEAM, side)


def _air(made: Recording, chance: Random) -> Iterator[Co2]:
    """CO2 every half minute, with windows, weather and a sensor's noise."""
    ppm, noise, tight, airing = OUTDOOR_PPM + 20, 0.0, 0.8, (0, 0)
    stays = sorted(made.stays, key=lambda stay: stay.start)
    offset = chance.gauss(0, 15)
    for at in range(MONDAY, MONDAY + made.days * DAY, 30 * SECOND):
        if at % DAY == 0:
            tight, airing = chance.uniform(0.4, 1.6), _airing(at, chance)
            today = [stay for stay in stays if at <= stay.start < at + DAY]
        breath = sum(stay.litres_h for stay in today if stay.start <= at < stay.end)
        changes = 7.0 if airing[0] <= at < airing[1] else tight
        outdoor = OUTDOOR_PPM + offset + 12 * ((at // HOUR) % 24 < 9)
        settled = outdoor + breath * 1_000 / made.room.volume_m3 / changes
        ppm = settled + (ppm - settled) * exp(-changes * 30 / 3600)
        noise = 0.9 * noise + chance.gauss(0, 2.5)
        yield Co2(at, round(ppm + noise))


def _airing(day: int, chance: Random) -> tuple[int, int]:
    """A window is opened on most days, while people are there."""
    if chance.random() > 0.7:
        return 0, 0
    start = day + round(chance.uniform(9.5, 17) * HOUR)
    return start, start + round(chance.uniform(5, 20) * MINUTE)


def _motion(made: Recording, chance: Random) -> Iterator[Pir]:
    """A PIR every half minute: people are lively or still for minutes at a time."""
    stays = sorted(made.stays, key=lambda stay: stay.start)
    still: dict[Stay, bool] = {}
    for at in range(MONDAY + 15 * SECOND, MONDAY + made.days * DAY, 30 * SECOND):
        if (at - 15 * SECOND) % DAY == 0:
            today = [stay for stay in stays if 0 <= stay.start - at < DAY]
        missed = 0.994
        for stay in today:
            if stay.start <= at < stay.end:
                if chance.random() < 0.08:
                    still[stay] = chance.random() < 0.5
                missed *= 1 - stay.lively * (0.4 if still.get(stay) else 1.6)
        yield Pir(at, fired=chance.random() > missed)


def _dead_hours(days: int, chance: Random) -> Iterator[tuple[Sensor, int]]:
    for day in range(days):
        sensor = chance.choice((Sensor.BADGE, Sensor.BEAM, Sensor.PIR, Sensor.CO2))
        yield sensor, MONDAY + day * DAY + round(chance.uniform(8, 18) * HOUR)


def _lost(one: Evidence, dead: list[tuple[Sensor, int]]) -> bool:
    return any(sensor is _sensor(one) and at <= one.at < at + HOUR for sensor, at in dead)


def _sensor(one: Evidence) -> Sensor:
    if isinstance(one, Passage):
        return one.sensor
    return Sensor.PIR if isinstance(one, Pir) else Sensor.CO2
