"""Case 13: what happens at once, too long, again or the wrong way round is counted right."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.occupancy import believed, counted, empty_now
from tests.acceptance.rig.village import FIRST, FRONT, HALL, SECOND, SIDE, Village, now
from tests.acceptance.rig.waiting import wait_until
from tests.integration.influx import Influx, influxdb

from kokubus_hub import models
from kokubus_hub.metrics.projector import rebuild
from kokubus_hub.settings import Settings
from kokubus_hub.times import iso

ONE, OTHER = "04A3C6CAE26180", "1E034A5B"
HELD_S = 10.0


def test_two_members_in_the_same_millisecond_are_two_everywhere(
    make_network: MakeNetwork, tmp_path: Path
) -> None:
    """Two rows and, in a real InfluxDB, two points; the same again makes no third."""
    network = make_network()
    network.start(FIRST)
    members = {network.village.member(uid).member for uid in (ONE, OTHER)}
    at = wait_until(lambda: _same_millisecond(network), "two taps in the same millisecond")

    events = network.village.rows(models.AccessEvent)
    pair = [event for event in events if event.at == at]
    assert {event.member_id for event in pair} == members
    assert [event.granted for event in pair] == [True, True]

    with influxdb(tmp_path) as influx:
        network.work.environ["KOKUBUS_HUB_INFLUX_URL"] = influx.url
        network.work.start()
        wait_until(lambda: len(_points(influx)) >= len(events), "every tap to be projected")
        network.work.stop()
        rebuild(network.engine, Settings(influx_url=influx.url), now())
        points = _points(influx)
    assert len(points) == len(events)
    assert sum(point.startswith(iso(at).removesuffix("Z")) for point in points) == 2


def test_a_card_held_ten_seconds_is_one_event(make_network: MakeNetwork) -> None:
    """Meanwhile the next reader of the same device is not held up."""
    network = make_network()
    network.start(SECOND)
    agent, village = network.agents[SECOND], network.village
    agent.ask(do="put", door=SIDE, uids=[ONE])
    laid = time.monotonic()
    agent.tap("dorf-meeting-door", OTHER)
    time.sleep(max(0.0, laid + HELD_S - time.monotonic()))
    agent.ask(do="take", door=SIDE)
    last = agent.tap(SIDE, ONE)["tap"]
    side = village.rows(models.Door, slug=SIDE)[0].id
    events = village.rows(models.AccessEvent, door_id=side)
    assert len(events) == 2
    assert events[-1].tap == last


def test_a_badge_denied_then_authorised_is_granted_at_once(network: Network) -> None:
    """It was off the reader for no longer than a hand needs."""
    agent, village = network.agents[FIRST], network.village
    person = village.enrol(ONE)
    first = agent.tap(FRONT, ONE)
    village.book(person)
    second = agent.tap(FRONT, ONE)
    assert (first["granted"], first["reason"]) == (False, "no_booking")
    assert (second["granted"], second["reason"], second["by"]) == (True, "booked", "hub")
    events = village.rows(models.AccessEvent)
    assert [event.tap for event in events] == [first["tap"], second["tap"]]
    assert agent.pulses() == 1


def test_an_exit_without_an_entry_counts_nobody_below_zero(make_network: MakeNetwork) -> None:
    """The count stays where it can be, and says that it has missed somebody."""
    network = make_network()
    village = network.village
    empty_now(village, HALL)
    network.start(FIRST)
    person = village.member(ONE)
    agent = network.agents[FIRST]
    for times in (1, 2):
        assert agent.tap(FRONT, ONE, side="out", walk=True)["granted"]
        wait_until(lambda: len(village.rows(models.Passage)) == times, "the exit")  # noqa: B023 - called before the next turn
    belief = believed(village, HALL)
    assert belief is not None
    count = counted(village, HALL, belief)
    assert min(count.low, count.median, count.mean) >= 0
    assert count.drift
    assert _inside(village) == []

    assert agent.tap(FRONT, ONE, walk=True)["granted"]
    wait_until(lambda: _inside(village) == [person.badge], "the entry")
    belief = believed(village, HALL)
    assert belief is not None
    assert counted(village, HALL, belief).median >= 1


def _same_millisecond(network: Network) -> int | None:
    """Hold both badges to the reader; when that was, if it was the same millisecond."""
    before = len(network.village.rows(models.AccessEvent))
    network.agents[FIRST].ask(do="burst", door=FRONT, uids=[ONE, OTHER])
    wait_until(
        lambda: len(network.village.rows(models.AccessEvent)) == before + 2, "both to be recorded"
    )
    found = defaultdict(list)
    for event in network.village.rows(models.AccessEvent):
        found[event.at].append(event)
    return next((at for at, events in found.items() if len(events) == 2), None)


def _points(influx: Influx) -> list[str]:
    """The instants of the taps, to the nanosecond."""
    return [row[0] for one in influx.ask('SELECT "count" FROM "tap"') for row in one["values"]]


def _inside(village: Village) -> list[int]:
    return [row.badge_id for row in village.rows(models.Presence) if row.inside]
