"""A door behind a bad LTE link: nobody waits for the network, nothing is lost, nothing is twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.acceptance.rig.network import Network, networks, prepare
from tests.acceptance.rig.village import FIRST, FRONT, now
from tests.acceptance.rig.waiting import wait_until
from tests.integration.rough_network import HERE, NoNamespaceError, Weather, Wire, namespace

from kokubus.messages import BadgeTapped, Enforced
from kokubus.wire import ROOT, decode_up
from kokubus_hub import models

DEADLINE_MS = 400
DELAY_MS = 2_000
"""What a packet takes in the worst weather."""
MEMBERS = [f"04{number:012X}" for number in range(1, 9)]
STRANGER = "04FFFFFFFFFFFF"


class Door:
    """The door in its namespace, and everybody who came to it."""

    def __init__(self, network: Network, wire: Wire) -> None:
        self.network, self.wire = network, wire
        self.agent = network.agents[FIRST]
        self.taps: dict[str, dict[str, object]] = {}
        self.deadlines: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.decided: dict[str, int] = {}
        network.peer(self._hear, f"{ROOT}/{FIRST}/up/#")

    def people(self, count: int, weather: Weather) -> list[str]:
        """This many come, in this weather; who decided about each."""
        self.wire.weather = weather
        return [self.tap() for _ in range(count)]

    def tap(self) -> str:
        uid = [*MEMBERS, STRANGER][len(self.taps) % (len(MEMBERS) + 1)]
        done = self.agent.tap(FRONT, uid)
        assert done["granted"] is (uid != STRANGER), done
        assert done["tap"] not in self.taps
        self.taps[done["tap"]] = done
        return str(done["by"])

    def _hear(self, topic: str, payload: bytes) -> None:
        """When the door asked and when it decided, by its own clock that never steps."""
        up = decode_up(topic, payload)
        fact, stamp = up.message, up.stamp
        if isinstance(fact, BadgeTapped) and stamp:
            self.asked[fact.id], self.deadlines[fact.id] = stamp.uptime_ms, fact.deadline_ms
        elif isinstance(fact, Enforced) and stamp:
            self.decided[fact.tap] = stamp.uptime_ms

    def recorded(self) -> set[str]:
        return {event.tap for event in self.network.village.rows(models.AccessEvent)}

    def enforced(self) -> set[str]:
        return {row.tap for row in self.network.village.rows(models.Enforcement)}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A door with its rights, linked through good weather."""
    prepare(tmp_path / "prepared", f"localhost,127.0.0.1,{HERE}")
    with ExitStack() as stack:
        make = stack.enter_context(networks(tmp_path, tmp_path / "prepared"))
        network = make(deadline_ms=DEADLINE_MS)
        try:
            wire = stack.enter_context(namespace(f"kk{os.getpid() % 100_000}"))
        except NoNamespaceError as error:
            pytest.skip(f"needs root, iproute2 and /dev/net/tun: {error}")
        network.broker.serve_devices_at(HERE)
        network.agents[FIRST].move(f"kk{os.getpid() % 100_000}", HERE, network.broker.device_port)
        for uid in MEMBERS:
            network.village.member(uid)
        network.start(FIRST)
        network.give_policies(FIRST)
        yield Door(network, wire)
        network.close()  # the agent leaves its namespace before that goes


@pytest.mark.slow
def test_bad_weather_delays_nobody_and_loses_nothing(door: Door) -> None:
    door.people(4, Weather())
    door.people(20, Weather(loss=0.3))
    assert door.wire.lost > 0
    delayed = door.people(12, Weather(delay_s=DELAY_MS / 1_000))
    assert set(delayed) == {"edge"}, "an answer cannot have come in time"
    for _ in range(4):  # flapping
        assert door.people(2, Weather(broken=True)) == ["edge", "edge"]
        door.people(2, Weather(loss=0.3))
    silent = door.people(6, Weather(broken=True))
    assert set(silent) == {"edge"}

    door.wire.weather = Weather()
    wait_until(lambda: door.recorded() >= set(door.taps), "the hub to hear of everybody")
    wait_until(lambda: door.enforced() >= set(door.taps), "the hub to hear what the door did")
    _check(door)


def _check(door: Door) -> None:
    village = door.network.village
    events, done = village.rows(models.AccessEvent), village.rows(models.Enforcement)
    assert sorted(event.tap for event in events) == sorted(door.taps)
    assert sorted(row.tap for row in done) == sorted(door.taps)
    for row in done:
        assert (row.granted, row.by) == (door.taps[row.tap]["granted"], door.taps[row.tap]["by"])
    wait_until(lambda: door.decided.keys() >= door.taps.keys(), "the door's own record")
    for tap in door.taps:
        assert door.deadlines[tap] == DEADLINE_MS
        waited, there_and_back = door.decided[tap] - door.asked[tap], 2 * DELAY_MS
        assert waited < DEADLINE_MS + there_and_back, "somebody waited for the network"
    wait_until(door.agent.receipted, "all of it to be receipted")
    door.agent.process.stop()
    wait_until(lambda: len(_received(door)) == 1, "no gap in the record")
    ((first, last),) = _received(door)
    assert first == 1
    assert all(fact["stamp"]["seq"] <= last for fact in door.agent.spooled())
    assert village.rows(models.DeadLetter) == []


def _received(door: Door) -> list[list[int]]:
    """The ranges of numbers the hub has."""
    (spool,) = door.network.village.rows(models.Spool)
    ranges: list[list[int]] = json.loads(spool.received)
    return ranges


@pytest.mark.slow
def test_a_connection_that_died_silently_is_noticed_on_both_sides(door: Door) -> None:
    """Packets vanish, nobody is told: keepalives find it out, and then it is made anew.

    How soon at the latest follows from the timers that are set: see `test_half_open_link`.
    """
    door.agent.process.stop()
    door.agent.live_faster()
    door.agent.start()
    downs, ups = door.agent.process.said("link_down"), door.agent.process.said("link_up")
    door.wire.weather = Weather(broken=True)
    wait_until(lambda: door.agent.process.said("link_down") > downs, "the door to notice")
    wait_until(lambda: _offline(door), "the hub to be told by the broker")
    door.wire.weather = Weather()
    wait_until(lambda: door.agent.process.said("link_up") > ups, "the door to come back")


def _offline(door: Door) -> bool:
    (row,) = door.network.village.rows(models.Device, slug=FIRST)
    return row.online is False and row.status_at <= now()
