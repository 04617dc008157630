"""Case 22: one of two listeners dies with fifty taps in flight; every door answers all the same."""

from __future__ import annotations

import json

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import DEVICES, FIRST, FRONT, SECOND, SIDE
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

READERS = ((FIRST, FRONT, "in"), (FIRST, FRONT, "out"), (SECOND, SIDE, "in"))
TAPS = 50
DEADLINE_MS = 1_000
SLACK_MS = 2_000
"""What a busy machine may add between a door's deadline and the fact that tells of it."""
MEMBERS = [f"04{number:012X}" for number in range(1, TAPS + 1)]


@pytest.fixture
def network(on_postgresql: MakeNetwork) -> Network:
    """A hub with two listeners, and two agents whose doors know all members."""
    made = on_postgresql(deadline_ms=DEADLINE_MS)
    made.start()
    made.listen(made.second)
    for uid in MEMBERS:
        made.village.member(uid)
    made.give_policies(*DEVICES)
    return made


@pytest.mark.parametrize("dies", ["listener", "second"])
def test_each_of_fifty_taps_is_answered_in_time_and_recorded_once(
    network: Network, dies: str
) -> None:
    tap_all(network, MEMBERS[: TAPS // 2])
    wait_until(lambda: len(events(network)) >= TAPS // 4, "some of the taps to be recorded")
    tap_all(network, MEMBERS[TAPS // 2 :])
    getattr(network, dies).kill()
    wait_until(lambda: len(enforced(network)) >= TAPS, "every door to have said what it did")
    wait_until(lambda: len(events(network)) >= TAPS, "every tap to be recorded")
    wait_until(lambda: all(whole(row) for row in network.village.rows(models.Spool)), "no gaps")

    taps = {event.tap: event for event in events(network)}
    done = enforced(network)
    assert len(events(network)) == len(taps) == TAPS
    assert sorted(one.tap for one in done) == sorted(taps)
    assert {one.granted for one in done} == {True}
    assert {one.by for one in done} <= {"hub", "edge"}
    late = [one.at - taps[one.tap].at for one in done]
    assert max(late) <= DEADLINE_MS + SLACK_MS
    assert {row.reason for row in done} == {"booked"}
    assert network.village.rows(models.DeadLetter) == []


def tap_all(network: Network, uids: list[str]) -> None:
    """Badges held to three readers as fast as they are read; nobody waits for an answer."""
    for number, (device, door, side) in enumerate(READERS):
        mine = uids[number :: len(READERS)]
        network.agents[device].ask(do="burst", door=door, side=side, uids=mine)


def whole(row: models.Spool) -> bool:
    """Whether everything a device has numbered so far was received."""
    ranges = json.loads(row.received)
    return len(ranges) == 1 and ranges[0][0] == 1


def events(network: Network) -> list[models.AccessEvent]:
    return network.village.rows(models.AccessEvent)


def enforced(network: Network) -> list[models.Enforcement]:
    return network.village.rows(models.Enforcement)
