"""Case 3: after a power cut, without battery clock and network, a door does not know the time."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, FRONT, HOUR_MS, now
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import changes, models
from kokubus_hub.database import writing

BOOKED, STANDING = "04A3C6CAE26180", "04B3C6CAE26180"
LAST_SEEN_MS = 5 * HOUR_MS
"""How far behind the clock wakes: what it said when it was last switched off."""


@pytest.fixture
def network(make_network: MakeNetwork) -> Network:
    """A door with a booking and a right without a time bound, both on its disk."""
    network = make_network(pulse_ms=300)
    network.start(FIRST)
    village = network.village
    village.member(BOOKED)
    village.entitle(village.enrol(STANDING))
    network.give_policies(FIRST)
    return network


def cut_power(network: Network) -> None:
    agent = network.agents[FIRST]
    agent.wire.cut()
    agent.power_cut(wall_ms=now() - LAST_SEEN_MS, boot="without-battery")


def opens_without_clock(network: Network) -> None:
    site = update(models.Site).values(opens_without_clock=True)
    with writing(network.engine) as connection:
        connection.execute(site)
        changes.record(connection, now(), "opens without clock")
    network.give_policies(FIRST)


def test_rights_with_a_time_bound_are_denied_and_the_others_follow_the_site(
    network: Network,
) -> None:
    agent = network.agents[FIRST]
    cut_power(network)
    for uid in (BOOKED, STANDING):
        answer = agent.tap(FRONT, uid)
        assert (answer["granted"], answer["reason"]) == (False, "clock_untrusted")
    assert agent.pulses() == 0


def test_a_site_may_let_rights_without_a_bound_in_all_the_same(network: Network) -> None:
    opens_without_clock(network)
    agent = network.agents[FIRST]
    cut_power(network)
    assert agent.tap(FRONT, BOOKED)["reason"] == "clock_untrusted"
    answer = agent.tap(FRONT, STANDING)
    assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", True, "entitled")


def test_facts_get_their_time_once_it_is_known_and_keep_their_order(network: Network) -> None:
    agent = network.agents[FIRST]
    cut_power(network)
    began = now()
    taps = [agent.tap(FRONT, uid)["tap"] for uid in (BOOKED, STANDING, BOOKED)]
    ended = now()
    wait_until(lambda: len(agent.spooled("badge_tapped")) == len(taps), "the disk to have them")
    spooled = {fact["id"]: fact for fact in agent.spooled("badge_tapped")}
    stamps = [spooled[tap]["stamp"] for tap in taps]
    assert {stamp["clock"] for stamp in stamps} == {"untrusted"}
    assert {stamp["boot"] for stamp in stamps} == {"without-battery"}
    assert [stamp["seq"] for stamp in stamps] == sorted(stamp["seq"] for stamp in stamps)
    assert all(spooled[tap]["at"] < began - LAST_SEEN_MS + 60_000 for tap in taps)

    agent.wire.restore()
    wait_until(lambda: len(events(network, taps)) == 3, "the hub to record what it was told")
    wait_until(lambda: timed(network), "the boot's beginning to be known")
    wait_until(lambda: set(taps) <= done(network).keys(), "what the door did to be recorded")
    found = events(network, taps)
    assert [event.tap for event in found] == taps
    assert all(began - 2_000 <= event.at <= ended + 2_000 for event in found)
    did = [done(network)[tap] for tap in taps]
    assert did == sorted(did)
    assert all(began - 2_000 <= at <= ended + 2_000 for at in did)


def test_the_hub_tells_the_time_and_bookings_open_again(network: Network) -> None:
    agent = network.agents[FIRST]
    cut_power(network)
    assert agent.tap(FRONT, BOOKED)["reason"] == "clock_untrusted"
    agent.wire.restore()
    wait_until(lambda: agent.process.said("time_told"), "the hub's signed time")
    agent.cut_off()
    answer = agent.tap(FRONT, BOOKED)
    assert (answer["by"], answer["granted"], answer["reason"]) == ("edge", True, "booked")


def test_ntp_puts_it_right_as_well(network: Network) -> None:
    agent = network.agents[FIRST]
    cut_power(network)
    assert agent.tap(FRONT, BOOKED)["reason"] == "clock_untrusted"
    agent.sync_clock()
    assert agent.tap(FRONT, BOOKED)["granted"]


def events(network: Network, taps: list[str]) -> list[Any]:
    """The recorded taps, in the order of their times."""
    rows = [row for row in network.village.rows(models.AccessEvent) if row.tap in taps]
    return sorted(rows, key=lambda row: (row.at, row.seq))


def done(network: Network) -> dict[str, int]:
    """When the doors did something, by the tap."""
    return {row.tap: row.at for row in network.village.rows(models.Enforcement)}


def timed(network: Network) -> bool:
    boots = network.village.rows(models.Boot, boot="without-battery")
    return bool(boots) and boots[0].began_at is not None
