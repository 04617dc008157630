"""A release ordered from the hub reaches a door by itself, and a bad one leaves by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.releases import DEAF, IMPATIENT, SOONER, Systemd, publish
from tests.acceptance.rig.village import FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus_hub import cli, models

pytestmark = pytest.mark.slow
OLD, NEW, BAD = "0.1.0", "0.2.0", "0.3.0"
UID = "04A3C6CAE26180"


@pytest.fixture
def hub(make_network: MakeNetwork, as_hub: Callable[[Network], Network]) -> Network:
    """Broker and listener; the agent is started by what stands in for systemd."""
    network = as_hub(make_network())
    network.broker.start()
    network.listen()
    return network


@pytest.fixture
def changes() -> Mapping[str, tuple[str, str]]:
    """How the first release differs from this tree."""
    return SOONER


@pytest.fixture
def device(hub: Network, changes: Mapping[str, tuple[str, str]]) -> Iterator[Systemd]:
    """A door whose first release runs and has reached the hub."""
    wheels = hub.folder / "card" / "wheels"
    wheels.parent.mkdir()
    systemd = Systemd(hub.agents[FIRST], wheels)
    try:
        systemd.start(OLD, publish(wheels, OLD, changes))
        wait_until(lambda: systemd.agent.said("link_up"), "the first release to reach the hub")
        yield systemd
    finally:
        systemd.close()


def order(version: str, sha256: str) -> int:
    words = ["device", FIRST, "update", version, "--sha256", sha256, "--wait", "400"]
    return cli.main(words)


def born(hub: Network) -> list[str]:
    """The releases that the device has said it runs, as the broker heard them."""
    said: list[str] = []
    topic = wire.up_topic(FIRST, "status")
    hub.peer(lambda _topic, raw: said.append(json.loads(raw)["version"]), topic)
    wait_until(lambda: said, "the retained birth")
    return said


def test_the_device_turns_to_the_release_it_was_ordered_and_says_so(
    hub: Network, device: Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = born(hub)
    sha256 = publish(hub.folder / "card" / "wheels", NEW)
    assert order(NEW, sha256) == 0
    assert "0.2.0 runs and is healthy" in capsys.readouterr().out
    [row] = hub.village.rows(models.DeviceOrder)
    assert (row.what, row.outcome) == ("update", "done")
    assert (device.releases.current(), device.releases.steady()) == (NEW, NEW)
    wait_until(lambda: versions[-1] == NEW, "whoever listens beside the hub to hear it as well")
    assert versions[0] == OLD
    agent = hub.agents[FIRST]
    assert agent.pulses() == 0
    hub.village.member(UID)
    wait_until(agent.answers, "somebody to come to its doors")
    assert agent.tap(FRONT, UID)["granted"]


@pytest.mark.parametrize("changes", [SOONER | IMPATIENT], ids=["impatient"])
def test_a_release_that_never_reaches_the_hub_is_undone_and_reported(
    hub: Network, device: Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = born(hub)
    sha256 = publish(hub.folder / "card" / "wheels", BAD, SOONER | DEAF)
    assert order(BAD, sha256) == 1
    assert "0.3.0 did not report healthy within 20 s; back to 0.1.0" in capsys.readouterr().out
    assert (device.releases.current(), device.releases.steady()) == (OLD, OLD)
    assert BAD not in versions
    agent = hub.agents[FIRST]
    assert agent.pulses() == 0
    hub.village.member(UID)
    wait_until(agent.answers, "somebody to come to its doors")
    assert agent.tap(FRONT, UID)["by"] == "hub"


def test_a_wheel_that_is_not_the_one_ordered_is_never_run(
    hub: Network, device: Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(hub.folder / "card" / "wheels", NEW)
    assert order(NEW, "0" * 64) == 1
    assert "hash" in capsys.readouterr().out.lower()
    assert (device.releases.current(), device.releases.steady()) == (OLD, OLD)
    assert device.agent.said("agent_ready") == 1
