"""One of two workers dies while bookings are made: the other goes on, nothing is lost or twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.processes import Process
from tests.acceptance.rig.village import FIRST, FRONT, HALL, Person
from tests.acceptance.rig.village import now as wall_clock
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import database, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.models import table

pytestmark = pytest.mark.slow
MEMBERS = [f"04{number:012X}" for number in range(1, 13)]


@pytest.fixture
def network(on_postgresql: MakeNetwork) -> Network:
    made = on_postgresql(pulse_ms=300)
    made.start()
    for worker in (made.work, made.deputy):
        worker.start()
    return made


def test_another_goes_on_where_the_leader_died(network: Network) -> None:
    a_pool(network)
    people = [network.village.enrol(uid) for uid in MEMBERS]
    book(network, people[:4])
    wait_until(lambda: all_confirmed(network), "the doors to confirm the first bookings")
    leader, deputy = by_lead(network)
    assert not leads(deputy)
    book(network, people[4:8])
    leader.kill()
    book(network, people[8:])
    wait_until(lambda: leads(deputy), "the other worker to lead")
    wait_until(lambda: all_confirmed(network), "the doors to confirm all of them")

    for device in network.village.rows(models.Device):
        policies = network.village.rows(models.Policy, device_id=device.id)
        issued = [(row.epoch, row.n) for row in policies]
        assert issued == sorted(set(issued)), "each number is issued once, and they count up"
    for agent in network.agents.values():
        assert agent.process.said("policy_damaged") == 0
    network.agents[FIRST].wire.cut()
    for uid in (MEMBERS[0], MEMBERS[5], MEMBERS[-1]):
        answer = network.agents[FIRST].tap(FRONT, uid)
        assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", True, "booked")


def a_pool(network: Network) -> None:
    """So many desks that everybody has one."""
    with database.writing(network.engine) as connection:
        room = table(models.Room)
        pool = update(room).where(room.c.slug == HALL)
        connection.execute(pool.values(desks=len(MEMBERS)))


def book(network: Network, people: Iterable[Person]) -> None:
    """A desk each, from a minute ago for an hour; one change after the other."""
    start = datetime.now(UTC) - timedelta(minutes=1)
    for person in people:
        [member] = network.village.rows(models.Member, id=person.member)
        wanted = Wanted(room=HALL, member=member.slug, span=(start, start + timedelta(hours=1)))
        with database.writing(network.engine) as connection:
            service.make(connection, wanted, wall_clock())


def all_confirmed(network: Network) -> bool:
    """Whether every door on the way has every booking."""
    kept: list[Any] = network.village.rows(models.BookingDelivery)
    return {row.state for row in kept} == {"on_the_door"}


def leads(worker: Process) -> bool:
    return worker.said("working") > 0


def by_lead(network: Network) -> tuple[Process, Process]:
    """The worker that leads, and the one that stands by."""
    workers = network.work, network.deputy
    return workers if leads(network.work) else workers[::-1]
