"""A line on which packets vanish without a word: both ends notice, and nothing is lost.

Neither end hears of it: the proxy goes on holding the connection, as a carrier's NAT does.
"""

from __future__ import annotations

from functools import partial

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus_edge import desk_client, link, link_line
from kokubus_hub import listen, models, publisher

pytestmark = pytest.mark.slow
UID = "04A3C6CAE26180"
NOTICED_S = 45


def online(network: Network) -> bool | None:
    value: bool | None = network.village.rows(models.Device, slug=FIRST)[0].online
    return value


def test_both_ends_notice_and_all_of_it_arrives_later(make_network: MakeNetwork) -> None:
    """The device by an answer that does not come, the broker by a sign of life that does not."""
    network = make_network()
    agent = network.agents[FIRST]
    agent.live_faster()
    network.start(FIRST)
    wait_until(lambda: online(network), "the device to be known as online")
    agent.wire.hold(up=True, down=True)
    agent.tap(FRONT, UID)
    wait_until(lambda: agent.process.said("link_down"), "the device to notice")
    wait_until(lambda: online(network) is False, "the broker to tell the hub")
    agent.wire.cut()
    agent.wire.restore()
    wait_until(lambda: online(network), "the device to be back")
    wait_until(lambda: network.village.rows(models.Enforcement), "what happened meanwhile")
    pending = partial(desk_client.status, agent.data)
    wait_until(lambda: pending()["pending"] == 0, "everything to be receipted")


def test_the_signs_of_life_are_close_enough_together() -> None:
    """With the timers that devices have; above they are shorter.

    MQTT 5, 3.1.2.10: a client asks after a keepalive of silence and waits for another one.

    It looks once a turn of its loop. The broker ends a connection after one and a half
    keepalives, and looks every five seconds at the latest (Mosquitto).
    """
    for keepalive_s, turn_s in (
        (link_line.KEEPALIVE_S, link._TURN_S),
        (publisher.KEEPALIVE_S, 1),
        (listen.KEEPALIVE_S, listen.IDLE_S + 1),
    ):
        assert 2 * keepalive_s + turn_s <= NOTICED_S
        assert 1.5 * keepalive_s + 5 <= NOTICED_S
    assert link_line._USER_TIMEOUT_MS <= NOTICED_S * 1000
