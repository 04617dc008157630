"""Case 4 in full: three days without network, ten thousand taps, and every fault there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import insert
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import DEVICES, FIRST, FRONT, HALL, HOUR_MS, SECOND, now
from tests.acceptance.rig.waiting import wait_until
from tests.acceptance.test_04_exactly_once import (
    Day,
    _check_numbers,
    _kill_the_broker,
    _lose_the_hubs_acks,
    _tear,
)

from kokubus_hub import changes, models
from kokubus_hub.database import writing
from kokubus_hub.models import table

TAPS = 10_000
OUTAGE_H, EXPIRY_H, STEP_H = 78, 72, 6
MEMBERS = [f"05{number:012X}" for number in range(1, 7)]
CARETAKER = "06000000000001"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_taps_of_three_days_are_ten_thousand_rows(make_network: MakeNetwork) -> None:
    network = make_network(deadline_ms=1_000)
    for agent in network.agents.values():
        agent.set_hours(behind=OUTAGE_H)  # so that the outage ends now
    network.start()
    _people(network)
    network.give_policies(*DEVICES)
    network.work.start()
    day = Day(network)

    day.taps(500)
    day.wait_durable(500)
    _lose_the_hubs_acks(day)
    _kill_the_broker(day)
    _three_days_alone(day)
    for device in DEVICES:
        network.agents[device].wire.restore()
    day.taps(TAPS - len(day.durable()))
    for share in range(500, TAPS + 1, 500):  # a slow machine needs longer for all than for some
        _wait_recorded(day, share)
    _check_rows(day)
    _check_numbers(network)


def _wait_recorded(day: Day, count: int) -> None:
    wait_until(lambda: len(day.recorded()) >= count, f"the hub to record {count} taps")


def _people(network: Network) -> None:
    """Members who have booked all these days, and the caretaker, whose badge is a key."""
    village = network.village
    room = village.room(HALL)
    for uid in MEMBERS:
        person = village.enrol(uid)
        span = {"start": now() - 90 * HOUR_MS, "end": now() + 24 * HOUR_MS}
        booked = {"room_id": room, "member_id": person.member, "created_at": 0, "changed_at": 0}
        with writing(village.engine) as connection:
            connection.execute(insert(table(models.Booking)).values(**booked, **span))
            changes.record(connection, now(), "booked")
    caretaker = village.enrol(CARETAKER)
    (site,) = village.rows(models.Site)
    with writing(village.engine) as connection:
        held = {"site_id": site.id, "badge_id": caretaker.badge}
        connection.execute(insert(table(models.Keyholder)).values(**held))
        changes.record(connection, now(), "a key")


def _three_days_alone(day: Day) -> None:
    """Members pass until the rights are too old; the caretaker passes then, too."""
    for device in DEVICES:
        day.network.agents[device].wire.cut()
    walkers = _walkers()
    for hours in range(STEP_H, OUTAGE_H + 1, STEP_H):
        for device in DEVICES:
            day.network.agents[device].ask(do="pass", hours=STEP_H)
        count = len(day.durable())
        day.taps(680)
        day.wait_durable(count + 680)
        if hours < EXPIRY_H:
            day.walk(FIRST, FRONT, *next(walkers))
        else:
            _too_old(day)
        if hours == EXPIRY_H // 2:
            _cut_the_power(day)


def _walkers() -> Iterator[tuple[str, str]]:
    """In and out again, one member after the other."""
    while True:
        for uid in MEMBERS:
            yield uid, "in"
            yield uid, "out"


def _too_old(day: Day) -> None:
    agent = day.network.agents[FIRST]
    denied = agent.tap(FRONT, MEMBERS[0])
    assert (denied["granted"], denied["reason"]) == (False, "policy_stale")
    key = agent.tap(FRONT, CARETAKER)
    assert (key["granted"], key["reason"]) == (True, "keyholder")
    day.pass_by(FIRST, FRONT, key["tap"])
    wait_until(lambda: denied["tap"] in day.durable(), "the denied tap to be on some disk")


def _cut_the_power(day: Day) -> None:
    """SIGKILL while the spool is written; half a frame of the next write is on the card."""
    day.taps(90)
    kept = day.durable()
    for device in (FIRST, SECOND):
        agent = day.network.agents[device]
        agent.process.kill()
        _tear(agent.data / "spool.db-wal")
        agent.start(linked=False)
    assert kept <= day.durable()


def _check_rows(day: Day) -> None:
    village = day.network.village
    events = village.rows(models.AccessEvent)
    assert len(events) == len({event.tap for event in events}) == TAPS
    day.wait_times()
    assert all(event.at == day.times[event.tap] for event in events)
    times = [event.at for event in events]
    assert max(times) - min(times) > EXPIRY_H * HOUR_MS
    wait_until(lambda: len(village.rows(models.Passage)) >= len(day.entered), "all passages")
    passages = village.rows(models.Passage)
    assert sorted((p.tap, p.side) for p in passages) == sorted(day.entered)
    wait_until(lambda: village.rows(models.Alarm, kind="keyholder_used"), "the alarm of the key")
