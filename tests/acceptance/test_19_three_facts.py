"""Case 19: the tap, the hub's answer and what the door did are three facts.

The hub's answer is on its way until the door has decided by itself.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.occupancy import believed, counted, empty_now, folded
from tests.acceptance.rig.village import FIRST, FRONT, HALL
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

NEWCOMER, FORMER, WITNESS = "04A3C6CAE26180", "04B3C6CAE26180", "1E034A5B"
DEADLINE_MS = 2_500
"""So slow a machine still lets the hub decide while the tap is fresh."""


@pytest.fixture
def slow(make_network: MakeNetwork) -> Network:
    """A network whose hub knows more than the door: one booking made, one cancelled since."""
    network = make_network(deadline_ms=DEADLINE_MS)
    empty_now(network.village, HALL)
    network.start(FIRST)
    village = network.village
    newcomer, former = village.enrol(NEWCOMER), village.enrol(FORMER)
    cancelled = village.book(former)
    network.give_policies(FIRST)
    village.book(newcomer)
    village.cancel(cancelled)
    return network


def test_the_hub_grants_late_and_the_door_has_denied(slow: Network) -> None:
    agent, village = slow.agents[FIRST], slow.village
    before = believed(village, HALL)
    slow.hub_wire.hold(up=True)
    answer = agent.tap(FRONT, NEWCOMER)
    assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", False, "badge_unknown")
    decided = _facts(slow, answer["tap"])
    _deliver(slow)
    assert decided == {
        "hub": (True, "booked"),
        "door": ("edge", False, "badge_unknown"),
    }
    assert _facts(slow, answer["tap"]) == decided
    assert agent.pulses() == 0
    assert village.rows(models.Passage) == []
    assert village.rows(models.Presence) == []
    assert believed(village, HALL) == before


def test_the_hub_denies_late_and_the_door_has_granted(slow: Network) -> None:
    agent, village = slow.agents[FIRST], slow.village
    before = believed(village, HALL)
    slow.hub_wire.hold(up=True)
    answer = agent.tap(FRONT, FORMER, walk=True)
    assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", True, "booked")
    decided = _facts(slow, answer["tap"])
    _deliver(slow)
    assert decided == {
        "hub": (False, "no_booking"),
        "door": ("edge", True, "booked"),
    }
    assert _facts(slow, answer["tap"]) == decided
    assert agent.pulses() == 1
    passage = wait_until(lambda: village.rows(models.Passage), "the passage to be recorded")
    assert [(p.tap, p.side) for p in passage] == [(answer["tap"], "in")]
    inside = [(p.room_id, p.inside) for p in village.rows(models.Presence)]
    assert inside == [(village.room(HALL), True)]
    belief = believed(village, HALL)
    assert belief == folded(village, HALL, before)
    assert counted(village, HALL, belief).median == 1


def _facts(network: Network, tap: str) -> dict[str, Any]:
    """What hub and door say about a tap, once both have."""
    village = network.village
    wait_until(lambda: village.rows(models.Enforcement, tap=tap), "the door's word to be recorded")
    event = wait_until(lambda: village.rows(models.AccessEvent, tap=tap), "the hub's answer")[0]
    done = village.rows(models.Enforcement, tap=tap)[0]
    return {
        "hub": (event.granted, event.reason),
        "door": (done.by, done.granted, done.reason),
    }


def _deliver(network: Network) -> None:
    """Let the held answer through; what is answered after it, was heard after it."""
    network.hub_wire.release()
    while (answer := network.agents[FIRST].tap(FRONT, WITNESS))["by"] != "hub":
        assert not answer["granted"]
