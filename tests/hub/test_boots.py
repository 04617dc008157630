"""Facts of a boot whose clock nobody could believe get their times, and keep their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.hub.intake_world import CO2, FRONT, NOW, UID, World, world
from tests.hub.small_hub import rows

from kokubus import wire
from kokubus.downlinks import TimeTold
from kokubus.messages import (
    By,
    Clock,
    ContactChanged,
    DeviceAlarmed,
    DoorForced,
    DoorHeld,
    Enforced,
    PassageSeen,
    Reading,
    SensorsRead,
    Side,
    TimeWanted,
)
from kokubus_hub import models
from kokubus_hub.sorting import Letter

LOST = NOW - 40 * 86_400_000
"""What a clock without a battery says: the time it was last switched off, or long before."""
MINUTE = 60_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.member(UID)
        yield made


class Pi:
    """A device whose boot began at ``NOW``, truly, and whose clock may be wrong."""

    def __init__(self, hub: World, boot: str = "boot-1", began: int = NOW) -> None:
        self.hub, self.boot, self.began = hub, boot, began
        self.synced = False

    def letter(self, cls: type[Any], uptime: int, **fields: Any) -> Letter:
        device = self.hub.device
        at = self.began + uptime if self.synced else LOST + uptime
        if cls is None:
            fact: Any = device.tapped(at=at, **fields)
        else:
            known = {"door": FRONT, "since": at}
            told = {name: known[name] for name in known if name in cls.__annotations__}
            fact = cls(id=device.id(), at=at, **(told | fields))
        clock = Clock.SYNCED if self.synced else Clock.UNTRUSTED
        stamp = replace(device.stamp(), boot=self.boot, uptime_ms=uptime, clock=clock)
        return Letter(wire.up_topic(device.slug, fact.kind), wire.encode_up(fact, stamp))

    def reading(self, uptime: int, value: float) -> Letter:
        at = LOST + uptime
        reading = Reading(sensor=CO2, quantity="co2", at=at, value=value)
        return self.letter(SensorsRead, uptime, readings=(reading,))


def take(hub: World, *letters: Letter, now: int) -> None:
    hub.now = now
    hub.intake.take(list(letters), now)


def story(pi: Pi) -> list[Letter]:
    """Somebody taps, is let in and goes through; the door is forced and held; air is measured."""
    tap = pi.letter(None, 1 * MINUTE)
    name = wire.decode_up(tap.topic, tap.payload).message.id  # type: ignore[union-attr]
    done = {"tap": name, "by": By.EDGE, "granted": True, "reason": "entitled"}
    return [
        tap,
        pi.letter(Enforced, 1 * MINUTE + 5, **done),
        pi.letter(ContactChanged, 2 * MINUTE, open=True),
        pi.letter(PassageSeen, 2 * MINUTE + 1, tap=name, side=Side.IN),
        pi.letter(ContactChanged, 3 * MINUTE, open=False),
        pi.letter(DoorForced, 4 * MINUTE),
        pi.letter(DoorHeld, 5 * MINUTE),
        pi.reading(6 * MINUTE, 612.0),
    ]


def times(hub: World) -> dict[str, list[int]]:
    """How long after the boot everything happened, as it is recorded."""
    tables = (models.AccessEvent, models.Enforcement, models.Passage, models.DoorEvent)
    found = {
        model.__tablename__: [row["at"] - NOW for row in rows(hub.engine, model)]
        for model in (*tables, models.Reading)
    }
    alarms = [row for row in rows(hub.engine, models.Alarm) if row["kind"].startswith("door")]
    return found | {"alarm": [row["at"] - NOW for row in alarms]}


RIGHT = {
    "access_event": [1 * MINUTE],
    "enforcement": [1 * MINUTE + 5],
    "passage": [2 * MINUTE + 1],
    "door_event": [2 * MINUTE, 3 * MINUTE, 4 * MINUTE, 5 * MINUTE],
    "reading": [6 * MINUTE],
    "alarm": [4 * MINUTE, 5 * MINUTE],
}


def synced(pi: Pi, uptime: int = 30 * MINUTE) -> Letter:
    pi.synced = True
    return pi.letter(DeviceAlarmed, uptime, alarm="clock_untrusted", active=False, door=None)


def test_what_was_recorded_without_a_time_gets_it_once_it_is_known(hub: World) -> None:
    pi = Pi(hub)
    take(hub, *story(pi), now=NOW + 10 * MINUTE)
    assert times(hub) != RIGHT
    take(hub, synced(pi), now=NOW + 31 * MINUTE)
    assert times(hub) == RIGHT
    assert {row["untimed_boot"] for row in rows(hub.engine, models.Passage)} == {None}


def test_in_one_batch_as_well(hub: World) -> None:
    pi = Pi(hub)
    take(hub, *story(pi), synced(pi), now=NOW + 31 * MINUTE)
    assert times(hub) == RIGHT


def test_what_comes_after_the_time_is_known_is_right_at_once(hub: World) -> None:
    pi = Pi(hub)
    late = story(pi)
    take(hub, synced(pi), now=NOW + 30 * MINUTE)
    take(hub, *late, now=NOW + 31 * MINUTE)
    assert times(hub) == RIGHT


def test_it_is_known_after_a_restart_of_the_hub(hub: World) -> None:
    pi = Pi(hub)
    late = story(pi)
    take(hub, synced(pi), now=NOW + 30 * MINUTE)
    hub.intake._forget()
    take(hub, *late, now=NOW + 31 * MINUTE)
    assert times(hub) == RIGHT


def test_another_boot_stays_as_it_is(hub: World) -> None:
    other = Pi(hub, "boot-0")
    take(hub, *story(other), now=NOW + 10 * MINUTE)
    before = times(hub)
    take(hub, synced(Pi(hub)), now=NOW + 31 * MINUTE)
    assert times(hub) == before


def test_the_clock_is_put_right_once_only(hub: World) -> None:
    pi = Pi(hub)
    take(hub, *story(pi), synced(pi), now=NOW + 31 * MINUTE)
    pi.began += 5
    take(hub, synced(pi, 40 * MINUTE), now=NOW + 41 * MINUTE)
    assert times(hub) == RIGHT


def test_a_door_stands_as_its_last_word_says_whatever_the_time(hub: World) -> None:
    pi = Pi(hub)
    hub.set(models.Door, FRONT, contact="closed", contact_at=NOW - 1)
    take(hub, pi.letter(ContactChanged, MINUTE, open=True), now=NOW + MINUTE)
    [door] = [row for row in rows(hub.engine, models.Door) if row["slug"] == FRONT]
    assert (door["contact"], door["contact_at"]) == ("open", NOW + MINUTE)


def test_nobody_is_counted_at_a_time_nobody_knows(hub: World) -> None:
    pi = Pi(hub)
    take(hub, *story(pi), now=NOW + 10 * MINUTE)
    assert rows(hub.engine, models.Belief) == []
    [presence] = rows(hub.engine, models.Presence)
    assert (presence["inside"], presence["at"]) == (True, NOW + 10 * MINUTE)


def test_who_was_not_counted_is_counted_again(hub: World) -> None:
    hub.take(hub.device.read(CO2, 450.0, NOW))
    hub.now = NOW + 8 * MINUTE
    hub.take(hub.device.read(CO2, 450.0, NOW + 8 * MINUTE))
    pi = Pi(hub)
    take(hub, *story(pi), now=NOW + 10 * MINUTE)
    take(hub, synced(pi), now=NOW + 31 * MINUTE)
    dirty = {row["dirty_since"] for row in rows(hub.engine, models.Belief)}
    assert NOW + 2 * MINUTE + 1 in dirty


def test_who_asks_is_told_the_time_with_its_nonce(hub: World) -> None:
    [reply] = hub.intake.take([hub.device.say(TimeWanted(nonce="n" * 16))], NOW + 7)
    keys = {hub.keyring.kid: hub.keyring.verifying}
    down = wire.decode_down(reply.payload, device="dorf-1", keys=keys)
    assert (down.message, down.at) == (TimeTold(nonce="n" * 16), NOW + 7)
    assert reply.topic == wire.down_topic("dorf-1", "time_told")
