"""Case 12: what a door's leaf does is told once and for what it is."""

from __future__ import annotations

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, FRONT, now
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models
from kokubus_hub.database import reading
from kokubus_hub.doors.service import door_by_slug

MEMBER = "04A3C6CAE26180"
PERMITTED_S = 2
NOTICED_S = 1.0
"""A contact counts once it has stood for a moment, and somebody busy looks late."""


@pytest.fixture
def network(make_network: MakeNetwork) -> Network:
    """One agent, whose door may stand open for two seconds."""
    made = make_network()
    site = made.folder / FIRST / "site.toml"
    permitted = f'device = "{FIRST}"\npermitted_open_ms = {1_000 * PERMITTED_S}\n'
    site.write_text(site.read_text("utf-8").replace(f'device = "{FIRST}"\n', permitted, 1), "utf-8")
    made.start(FIRST)
    made.village.member(MEMBER)
    return made


def told(network: Network, kind: str) -> int:
    return len([row for row in network.village.rows(models.DoorEvent) if row.kind == kind])


def until(network: Network, kind: str, count: int = 1) -> None:
    wait_until(lambda: told(network, kind) >= count, f"{count} {kind}")


def state(network: Network) -> str:
    with reading(network.village.engine) as connection:
        door = door_by_slug(connection, FRONT, now())
    assert door is not None
    return door.state


def leafs(network: Network) -> int:
    return told(network, "contact_changed")


def test_a_grant_nobody_used_is_one_no_entry(network: Network) -> None:
    agent = network.agents[FIRST]
    assert agent.tap(FRONT, MEMBER, walk=False)["granted"]
    until(network, "no_entry")
    assert agent.tap(FRONT, MEMBER, walk=True)["granted"]
    wait_until(lambda: network.village.rows(models.Passage), "the passage")
    assert told(network, "no_entry") == 1
    assert told(network, "door_forced") == 0


def test_a_request_to_exit_then_an_open_door_is_no_alarm(network: Network) -> None:
    network.agents[FIRST].ask(do="exit", door=FRONT, seconds=NOTICED_S)
    until(network, "contact_changed", 2)
    wait_until(lambda: network.village.rows(models.Passage), "the passage")
    (passage,) = network.village.rows(models.Passage)
    assert (passage.exit_requested, passage.side) == (True, "out")
    assert network.village.rows(models.Alarm) == []


def test_an_unauthorised_opening_is_one_forced(network: Network) -> None:
    network.agents[FIRST].ask(do="force", door=FRONT, seconds=NOTICED_S)
    until(network, "door_forced")
    wait_until(lambda: state(network) == "closed", "the door to be closed again")
    assert told(network, "door_forced") == 1
    (alarm,) = network.village.rows(models.Alarm)
    assert (alarm.kind, alarm.cleared_at is not None) == ("door_forced", True)
    assert network.village.rows(models.Passage) == []


def test_an_overstay_is_one_held_and_one_held_clear(network: Network) -> None:
    agent = network.agents[FIRST]
    assert agent.tap(FRONT, MEMBER, walk=False)["granted"]
    agent.ask(do="exit", door=FRONT, seconds=3 * PERMITTED_S)
    until(network, "door_held_clear")
    wait_until(lambda: state(network) == "closed", "the door to be closed again")
    until(network, "door_held")
    assert (told(network, "door_held"), told(network, "door_held_clear")) == (1, 1)
    events = sorted(network.village.rows(models.DoorEvent), key=lambda row: row.at)
    kinds = [row.kind for row in events]
    assert kinds.index("door_held") < kinds.index("door_held_clear")
    assert told(network, "door_forced") == 0


def test_a_door_whose_agent_is_away_is_neither_open_nor_closed(network: Network) -> None:
    wait_until(lambda: state(network) == "closed", "the door to say how it stands")
    network.agents[FIRST].process.kill()
    wait_until(lambda: state(network) == "unknown", "the broker to say that it is gone")
    network.agents[FIRST].start()
    wait_until(lambda: state(network) == "closed", "the door to say it again")


def test_a_door_whose_network_comes_back_stands_as_it_stood(network: Network) -> None:
    """Its agent has run all the while: nothing about the leaf is news to it."""
    wait_until(lambda: state(network) == "closed", "the door to say how it stands")
    network.agents[FIRST].wire.cut()
    wait_until(lambda: state(network) == "unknown", "the broker to say that it is gone")
    network.agents[FIRST].wire.restore()
    wait_until(lambda: state(network) == "closed", "the door to be known again")
    assert leafs(network) == 1
