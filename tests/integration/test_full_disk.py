"""A hub whose disk is full: it says so, grants nothing it could not record, and loses nothing."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network, networks, prepare
from tests.acceptance.rig.village import FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

MEMBER = "04A3C6CAE26180"
_LOGGED = 100_000


@pytest.fixture
def make_network(tmp_path: Path) -> Iterator[MakeNetwork]:
    prepare(tmp_path / "prepared")
    with networks(tmp_path, tmp_path / "prepared") as make:
        yield make


@contextmanager
def _full_disk(network: Network) -> Iterator[None]:
    """The listener's files grow no more (setrlimit(2): EFBIG), until the end of this.

    What it writes goes to the end of SQLite's log, which is therefore made the longest of them.
    """
    wal = network.hub_folder / "kokubus.db-wal"
    assert wal.stat().st_size > _LOGGED, "the listener's own log would be cut short"
    pid = network.listener.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("policy", [False, True], ids=["without a policy", "with a policy"])
def test_a_hub_that_cannot_write_says_so_and_grants_nothing(
    make_network: MakeNetwork, policy: bool
) -> None:
    """The door decides alone, keeps its facts, and the hub has them once when it can write."""
    network = make_network()
    network.start(FIRST)
    village, agent = network.village, network.agents[FIRST]
    village.member(MEMBER)
    if policy:
        network.give_policies(FIRST)
    agent.tap(FRONT, "1E034A5B")
    wait_until(lambda: len(village.rows(models.Enforcement)) == 1, "all to be recorded")
    with _full_disk(network):
        answer = agent.tap(FRONT, MEMBER)
        assert answer["by"] == "edge"
        assert answer["granted"] is policy
        assert answer["reason"] == ("booked" if policy else "hub_cannot_record")
        assert network.listener.said("cannot_record") > 0
        assert village.rows(models.AccessEvent, tap=answer["tap"]) == []
        tap = answer["tap"]
        wait_until(
            lambda: tap in {fact["id"] for fact in agent.spooled("badge_tapped")},
            "the door to keep the tap",
        )
    wait_until(lambda: village.rows(models.Enforcement, tap=answer["tap"]), "the door's word")
    wait_until(lambda: village.rows(models.AccessEvent, tap=answer["tap"]), "the tap")
    agent.tap(FRONT, "1E034A5B")
    wait_until(lambda: len(village.rows(models.Enforcement)) >= 3, "the last tap, too")
    assert len(village.rows(models.AccessEvent)) == 3
    assert agent.pulses() == int(policy)
    assert village.rows(models.DeadLetter) == []
