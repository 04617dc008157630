"""Case 16: a public event holds its door open for its time only, hub or no hub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, FRONT, HALL, HOUR_MS, now
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.changes import record
from kokubus_hub.database import writing
from kokubus_hub.doors import modes
from kokubus_hub.models import table

STRANGER, MEMBER = "04A3C6CAE26180", "04B3C6CAE26180"
LASTS_H = 2

pytestmark = pytest.mark.slow


@pytest.fixture
def hall(make_network: MakeNetwork) -> Network:
    """The doors on the way to the hall may stand open; the hub builds policies."""
    network = make_network()
    network.agents[FIRST].set_hours()
    network.start(FIRST)
    with writing(network.engine) as connection:
        connection.execute(table(models.Door).update().values(free_passage=True))
        record(connection, now(), "rated strikes")
    network.work.start()
    return network


def _event(network: Network, start: int, end: int) -> int:
    """A booking of kind event, as the API makes it."""
    person = network.village.enrol(MEMBER)
    member = network.village.rows(models.Member, id=person.member)[0].slug
    span = (datetime.fromtimestamp(start / 1000, UTC), datetime.fromtimestamp(end / 1000, UTC))
    wanted = Wanted(room=HALL, member=member, span=span, kind="event", whole_room=True)
    with writing(network.engine) as connection:
        return int(service.make(connection, wanted, now()).id)


def test_the_door_stands_open_for_the_event_alone(hall: Network) -> None:
    agent, village = hall.agents[FIRST], hall.village
    assert agent.tap(FRONT, STRANGER)["reason"] == "badge_unknown"
    _event(hall, now() - 1_000, now() + LASTS_H * HOUR_MS)
    wait_until(lambda: FRONT in agent.drawn(), "the bolt to be held back")
    by_hub = agent.tap(FRONT, STRANGER)
    assert (by_hub["granted"], by_hub["reason"]) == (True, "free_passage")
    hall.work.stop()
    hall.listener.stop()
    hall.broker.process.stop()  # from here on the door is alone
    assert agent.drawn() == [FRONT]
    agent.ask(do="pass", hours=LASTS_H)
    wait_until(lambda: not agent.drawn(), "the door to lock by itself")
    after = agent.tap(FRONT, STRANGER)
    assert (after["by"], after["granted"]) == ("edge", False)
    hall.broker.start()
    hall.listen()
    _recorded(village, by_hub, after)


def _recorded(village: Any, *taps: dict[str, Any]) -> None:
    """Every tap is in the hub's record, those of strangers and those of the outage, too."""
    for tap in taps:
        wait_until(
            lambda tap=tap: village.rows(models.Enforcement, tap=tap["tap"]),  # type: ignore[misc]  # bound at once
            "the tap to be recorded",
        )
        assert village.rows(models.AccessEvent, tap=tap["tap"])


def test_lockdown_ends_it_at_once_and_so_does_cancelling(hall: Network) -> None:
    agent = hall.agents[FIRST]
    booking = _event(hall, now() - 1_000, now() + 3_600_000)
    wait_until(lambda: FRONT in agent.drawn(), "the bolt to be held back")
    locked = modes.Wanted(kind="lockdown", reason="a quarrel at the door", site="dorf")
    with writing(hall.engine) as connection:
        mode = modes.begin(connection, locked, now(), None)
    wait_until(lambda: not agent.drawn(), "the door to lock")
    assert agent.tap(FRONT, MEMBER)["reason"] == "lockdown"
    with writing(hall.engine) as connection:
        modes.end(connection, mode.row.id, None, now(), None)
    wait_until(lambda: FRONT in agent.drawn(), "the event to go on")
    with writing(hall.engine) as connection:
        service.cancel(connection, booking, now())
    wait_until(lambda: not agent.drawn(), "the door to lock again")
