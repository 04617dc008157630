"""Case 10, on real doors: a change is on the disks of all of them, which then decide alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import DEVICES, DOORS, FRONT, HALL, MEETING, MEETING_ROOM, SIDE
from tests.acceptance.rig.village import now as wall_clock
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import database, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted

UID = "04A3C6CAE26180"
WITNESS = "04B3C6CAE26180"

pytestmark = pytest.mark.slow


@pytest.fixture
def doors(make_network: MakeNetwork) -> Network:
    network = make_network(deadline_ms=1_000)
    network.start(*DEVICES)
    network.village.enrol(UID)
    network.work.start()
    return network


def make(network: Network, **what: Any) -> int:
    start = datetime.now(UTC) - timedelta(minutes=1)
    member = network.village.rows(models.Member)[0].slug
    wanted = Wanted(room=HALL, member=member, span=(start, start + timedelta(hours=1)))
    with database.writing(network.engine) as connection:
        return int(service.make(connection, replace(wanted, **what), wall_clock()).id)


def change(network: Network, booking: int, **what: Any) -> None:
    with database.writing(network.engine) as connection:
        held = service.wanted_of(connection, service.by_id(connection, booking))
        service.change(connection, booking, replace(held, **what), wall_clock())


def on_the_doors(network: Network, booking: int) -> None:
    """Wait until every door that is owed the booking has said that it has it."""

    def all_have_it() -> bool:
        kept = network.village.rows(models.BookingDelivery, booking_id=booking)
        return bool(kept) and {row.state for row in kept} == {"on_the_door"}

    wait_until(all_have_it, "every door to have the booking as it stands")


def alone(network: Network) -> dict[str, bool]:
    """Who is let in by doors that have no hub."""
    for agent in network.agents.values():
        agent.wire.cut()
    told = {}
    for door, device in DOORS.items():
        answer = network.agents[device].tap(door, UID)
        assert answer["by"] == "edge"
        told[door] = bool(answer["granted"])
    for agent in network.agents.values():
        agent.wire.restore()
        wait_until(agent.linked, "the link to be up again")
    return told


def test_a_change_is_on_every_door(doors: Network) -> None:
    booking = make(doors)
    on_the_doors(doors, booking)
    change(doors, booking, room=MEETING_ROOM)
    on_the_doors(doors, booking)
    assert alone(doors) == {FRONT: True, SIDE: True, MEETING: True}
    change(doors, booking, room=HALL)
    on_the_doors(doors, booking)
    with database.writing(doors.engine) as connection:
        service.cancel(connection, booking, wall_clock())
    on_the_doors(doors, booking)
    assert alone(doors) == {FRONT: False, SIDE: False, MEETING: False}
