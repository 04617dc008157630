"""Case 4, shorter: a thousand taps, each fault once, and every tap is recorded exactly once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.occupancy import believed, folded
from tests.acceptance.rig.village import DEVICES, FIRST, FRONT, HALL, SECOND, SIDE
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

TAPS = 1_000
STRANGERS = [f"04{number:012X}" for number in range(1, 41)]
MEMBERS = [f"05{number:012X}" for number in range(1, 7)]
READERS = ((FIRST, FRONT, "in"), (FIRST, FRONT, "out"), (SECOND, SIDE, "in"))
WAL_FRAME = 24 + 4096


class Day:
    """What people did, and what is known of the facts that came of it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.times: dict[str, int] = {}
        self.entered: list[tuple[str, str]] = []
        self._next = cycle(STRANGERS)
        self.peer = network.peer(self._overhear, "kokubus/v1/+/up/badge_tapped")

    def taps(self, count: int) -> None:
        """People without a right hold badges to three readers; nobody waits for an answer."""
        for number, (device, door, side) in enumerate(READERS):
            share = len(range(number, count, len(READERS)))
            uids = [next(self._next) for _ in range(share)]
            self.network.agents[device].ask(do="burst", door=door, side=side, uids=uids)

    def walk(self, device: str, door: str, uid: str, side: str = "in") -> None:
        """A member taps at the chip, is let in or out, and goes through.

        Whoever waits for an answer at a door has nobody else tap there meanwhile.
        """
        agent = self.network.agents[device]
        answer = agent.tap(door, uid, side=side)
        assert answer["granted"], answer
        self.pass_by(device, door, answer["tap"], side)

    def pass_by(self, device: str, door: str, tap: str, side: str = "in") -> None:
        """Go through a door that has just opened; tap and passage are on some disk then."""
        self.network.agents[device].ask(do="force", door=door, seconds=1.0)
        wait_until(lambda: tap in self.durable(), "the tap to be on some disk")
        wait_until(lambda: tap in self.passed(), "the passage to be on some disk")
        self.entered.append((tap, side))

    def passed(self) -> set[str]:
        """The taps whose passages are on some disk."""
        agents = self.network.agents.values()
        waiting = {fact["tap"] for agent in agents for fact in agent.spooled("passage_seen")}
        return waiting | {row.tap for row in self.network.village.rows(models.Passage)}

    def recorded(self) -> set[str]:
        """The taps the hub has."""
        return {event.tap for event in self.network.village.rows(models.AccessEvent)}

    def enforced(self) -> set[str]:
        """The taps of which the hub knows what the door did, which is the last of each."""
        return {row.tap for row in self.network.village.rows(models.Enforcement)}

    def spooled(self) -> set[str]:
        """The taps on the devices' disks."""
        agents = self.network.agents.values()
        facts = [fact for agent in agents for fact in agent.spooled("badge_tapped")]
        self.times |= {fact["id"]: fact["at"] for fact in facts}
        return {fact["id"] for fact in facts}

    def durable(self) -> set[str]:
        """The taps that are on some disk."""
        return self.spooled() | self.recorded()

    def wait_durable(self, count: int) -> None:
        wait_until(lambda: len(self.durable()) >= count, f"{count} taps to be on some disk")

    def wait_recorded(self, taps: Iterable[str], what: str) -> None:
        wanted = set(taps)
        wait_until(lambda: wanted <= self.recorded(), f"the hub to record what {what}")

    def wait_times(self) -> None:
        """Who overhears the taps may do so later than the hub."""
        wait_until(lambda: self.recorded() <= self.times.keys(), "every tap's time to be known")

    def _overhear(self, _topic: str, payload: bytes) -> None:
        fact = json.loads(payload)
        assert self.times.setdefault(fact["id"], fact["at"]) == fact["at"]


def test_a_thousand_taps_are_a_thousand_rows(make_network: MakeNetwork) -> None:
    network = make_network(deadline_ms=1_000)
    network.start()
    for uid in MEMBERS:
        network.village.member(uid)
    network.give_policies(*DEVICES)
    network.work.start()
    day = Day(network)

    day.walk(FIRST, FRONT, MEMBERS[0])
    day.taps(200)
    day.wait_durable(201)
    _lose_the_hubs_acks(day)
    _kill_the_broker(day)
    _cut_the_network(day)
    _cut_the_power(day)
    day.walk(SECOND, SIDE, MEMBERS[4])
    day.taps(TAPS - len(day.durable()))
    day.wait_durable(TAPS)

    wait_until(lambda: len(day.recorded()) >= TAPS, "all to be recorded")
    _check_rows(day)
    _check_numbers(network)
    _check_occupancy(day)


def _lose_the_hubs_acks(day: Day) -> None:
    """The hub commits; its answers, receipts and acks are lost with it, the facts are kept."""
    # The broker sends ahead of held acks only so far (512): what came before must be done.
    wait_until(lambda: day.durable() <= day.enforced(), "the hub to record what came before")
    network, before = day.network, day.recorded()
    network.hub_wire.hold(up=True)
    day.walk(FIRST, FRONT, MEMBERS[1])
    day.taps(99)
    wait_until(lambda: len(day.recorded() - before) >= 100, "the hub to commit")
    unanswered = day.recorded() - before
    network.listener.kill()
    network.hub_wire.cut()
    assert unanswered <= day.spooled()
    network.hub_wire.restore()
    network.listen()


def _kill_the_broker(day: Day) -> None:
    """SIGKILL with taps under way; people go on while it is gone."""
    count = len(day.durable())
    day.taps(75)
    day.network.broker.process.kill()
    day.wait_durable(count + 75)
    day.walk(SECOND, SIDE, MEMBERS[2])
    day.taps(74)
    day.wait_durable(count + 150)
    day.network.broker.start()


def _cut_the_network(day: Day) -> None:
    """The doors decide alone; what they record keeps its time until the hub is back."""
    wires = [day.network.agents[device].wire for device in DEVICES]
    for wire in wires:
        wire.cut()
    count = len(day.durable())
    day.walk(FIRST, FRONT, MEMBERS[3])
    day.walk(FIRST, FRONT, MEMBERS[0], side="out")
    day.taps(198)
    day.wait_durable(count + 200)
    alone = day.spooled() - day.recorded()
    assert len(alone) >= 200
    for wire in wires:
        wire.restore()
    day.wait_recorded(alone, "happened while the network was cut")


def _cut_the_power(day: Day) -> None:
    """SIGKILL while the spool is written, and half a page of what it was about to write.

    A tap of the last moment, on no disk yet, is lost with the power; nothing else is.
    """
    day.peer.wait_here()
    count = len(day.durable())
    day.taps(240)
    day.wait_durable(count + 40)
    for device in DEVICES:
        agent = day.network.agents[device]
        agent.process.kill()
        _tear(agent.data / "spool.db-wal")
    durable = day.durable()
    for device in DEVICES:
        day.network.agents[device].start()
    day.wait_recorded(durable, "was on a disk when the power was cut")


def _tear(wal: Path) -> None:
    """Write half a frame behind what was committed (sqlite.org/fileformat2.html, 4.1)."""
    with wal.open("ab") as file:
        file.write(os.urandom(WAL_FRAME // 2))


def _check_rows(day: Day) -> None:
    events = day.network.village.rows(models.AccessEvent)
    assert len(events) == TAPS
    assert len({event.tap for event in events}) == TAPS
    day.wait_times()
    assert {event.tap: event.at for event in events} == {
        event.tap: day.times[event.tap] for event in events
    }


def _check_numbers(network: Network) -> None:
    """No gap in any device's record, and nothing left on a device that ended in peace."""
    for agent in network.agents.values():
        wait_until(agent.receipted, f"all of {agent.device} to be receipted")
        agent.process.stop()
    wait_until(lambda: all(_whole(row) for row in network.village.rows(models.Spool)), "no gaps")
    assert len(network.village.rows(models.Spool)) == len(DEVICES)
    assert [agent.spooled() for agent in network.agents.values()] == [[], []]
    assert network.village.rows(models.DeadLetter) == []


def _whole(row: models.Spool) -> bool:
    ranges = json.loads(row.received)
    return len(ranges) == 1 and ranges[0][0] == 1


def _check_occupancy(day: Day) -> None:
    village = day.network.village
    passages = village.rows(models.Passage)
    assert sorted((p.tap, p.side) for p in passages) == sorted(day.entered)
    room = village.room(HALL)
    inside = [row for row in village.rows(models.Presence, room_id=room) if row.inside]
    left = sum(side == "out" for _, side in day.entered)
    assert len(inside) == len(day.entered) - 2 * left

    wait_until(lambda: believed(village, HALL), "the worker to fold what came late")
    belief, expected = believed(village, HALL), folded(village, HALL)
    assert belief is not None
    assert belief.at == expected.at
    assert belief.posterior == pytest.approx(expected.posterior, abs=1e-6)
