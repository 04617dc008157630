"""Case 1: a badge whose number lost its zeros is another badge."""

from __future__ import annotations

from tests.acceptance.rig.network import Network
from tests.acceptance.rig.village import FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

ENROLLED, TAPPED = "1E034A5B", "01E34A5B"


def test_a_number_with_its_zeros_elsewhere_opens_nothing(network: Network) -> None:
    person = network.village.member(ENROLLED)
    agent = network.agents[FIRST]

    wrong = agent.tap(FRONT, TAPPED)
    assert (wrong["granted"], wrong["reason"], wrong["by"]) == (False, "badge_unknown", "hub")
    assert agent.pulses() == 0

    right = agent.tap(FRONT, ENROLLED)
    assert (right["granted"], right["reason"], right["by"]) == (True, "booked", "hub")
    wait_until(lambda: agent.pulses() == 1, "the bolt to be drawn once")

    events = network.village.rows(models.AccessEvent)
    assert [(e.tap, e.badge_id, e.member_id, e.reason) for e in events] == [
        (wrong["tap"], None, None, "badge_unknown"),
        (right["tap"], person.badge, person.member, "booked"),
    ]
