"""A site's changed file reaches its door by itself: signed, once, and no bolt moves for it."""

from __future__ import annotations

import pytest
from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.network import Network
from tests.acceptance.rig.village import FIRST, FRONT, site_toml
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus.site import read_site
from kokubus.site.given import fingerprint, number_of
from kokubus_hub import cli, models

pytestmark = pytest.mark.slow
UID = "04A3C6CAE26180"
SHORT_MS = 450


def apply(hub: Network, pulse_ms: int) -> str:
    """What an operator does: edit the file, apply the folder."""
    folder = hub.folder / "sites"
    folder.mkdir(exist_ok=True)
    text = site_toml(deadline_ms=5_000, pulse_ms=pulse_ms)
    (folder / "dorf.toml").write_text(text)
    assert cli.main(["apply", str(folder), "--yes"]) == 0
    return fingerprint(read_site(text, "dorf.toml"), FIRST)


def runs_by(hub: Network, sha256: str) -> bool:
    [device] = hub.village.rows(models.Device, slug=FIRST)
    return bool(device.site_sha256 == sha256)


def ended(agent: Agent) -> bool:
    """It ends itself, for systemd to start it again; here the test does, in its place."""
    if agent.process.alive:
        return False
    agent.process.kill()
    return True


def test_a_door_takes_its_sites_changed_file_by_itself(hub: Network) -> None:
    agent, heard = hub.agents[FIRST], list[bytes]()
    peer = hub.peer(lambda _topic, raw: heard.append(raw), wire.down_topic(FIRST, "site"))
    hub.village.member(UID)
    hub.work.start()
    edges = agent.pulses()
    sha256 = apply(hub, SHORT_MS)
    wait_until(lambda: ended(agent), "the agent to end itself")
    agent.start()
    wait_until(lambda: runs_by(hub, sha256), "the hub to hear that it runs by the new file")
    assert agent.pulses() == edges
    assert f"pulse_ms = {SHORT_MS}" in agent.site.read_text("utf-8")
    assert agent.tap(FRONT, UID)["granted"]
    wait_until(lambda: not agent.drawn(), "the short pulse to end")
    wait_until(lambda: heard, "whoever listens beside it to have it as well")
    first, number = heard[0], number_of(agent.site.read_text("utf-8"))

    again = apply(hub, SHORT_MS + 50)
    wait_until(lambda: ended(agent), "the agent to end itself for another")
    agent.start()
    wait_until(lambda: runs_by(hub, again), "the hub to hear of it")
    older = agent.process.said("site_older")
    peer.publish(wire.down_topic(FIRST, "site"), first)
    wait_until(lambda: agent.process.said("site_older") > older, "the first to be refused")
    assert number_of(agent.site.read_text("utf-8")) > number
    assert agent.process.alive


def test_one_that_was_away_is_told_when_it_is_back_and_only_if_it_concerns_it(hub: Network) -> None:
    agent = hub.agents[FIRST]
    hub.work.start()
    agent.wire.cut()
    downs = agent.process.said("link_down")
    wait_until(lambda: agent.process.said("link_down") >= max(1, downs), "the door to notice")
    sha256 = apply(hub, SHORT_MS)
    agent.wire.restore()
    wait_until(lambda: ended(agent), "the agent to end itself")
    agent.start()
    wait_until(lambda: runs_by(hub, sha256), "the hub to hear of it")
    given = hub.work.said("site_given")
    assert given == 1
    apply(hub, SHORT_MS)
    hub.village.member(UID)
    wait_until(lambda: hub._stored(FIRST), "the worker to have taken in what came after it")
    assert hub.work.said("site_given") == given
