"""Case 9: who booked before the outage is let in, who booked after it is not; it is seen which."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.village import (
    FIRST,
    FRONT,
    HALL,
    HOUR_MS,
    MEETING_ROOM,
    SITE,
    Person,
    now,
)
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models
from kokubus_hub.database import session_writing
from kokubus_hub.people import service as people

BEFORE, AFTER = "04A3C6CAE26180", "04B3C6CAE26180"


@pytest.fixture
def network(on_either: MakeNetwork) -> Network:
    network = on_either(pulse_ms=300)
    network.start()
    network.work.start()
    return network


@pytest.fixture
def coordinator(network: Network) -> Iterator[httpx.Client]:
    """Somebody at the town hall's computer."""
    with session_writing(network.engine) as session:
        operator = people.add_operator(session, "Olga Probe", "olga@example.org", now())
        session.flush()
        token = people.make_token(session, operator.id, "test", now())
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    with httpx.Client(base_url=network.web(), headers=headers, timeout=30) as client:
        yield client


def book(coordinator: httpx.Client, network: Network, person: Person, room: str) -> dict[str, Any]:
    [member] = network.village.rows(models.Member, id=person.member)
    start = datetime.fromtimestamp(now() / 1000 - 600, UTC)
    end = datetime.fromtimestamp((now() + HOUR_MS) / 1000, UTC)
    asked = {"room": room, "member": member.slug}
    asked |= {"start": start.isoformat(), "end": end.isoformat()}
    answer = coordinator.post("/api/v1/bookings", json=asked)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def delivery(coordinator: httpx.Client, booking: dict[str, Any], door: str) -> dict[str, Any]:
    told = coordinator.get(f"/api/v1/bookings/{booking['id']}").json()
    [one] = [one for one in told["delivery"] if one["door"] == door]
    return dict(one | {"delivered": told["delivered"]})


def on_the_page(coordinator: httpx.Client, booking: dict[str, Any]) -> str:
    """What /today says of a booking."""
    page = coordinator.get(f"/today/{SITE}")
    assert page.status_code == 200, page.text
    _, _, rest = page.text.partition(f'id="booking-{booking["id"]}"')
    assert rest, page.text
    return rest.partition("</li>")[0]


def cut(network: Network) -> None:
    """The uplink is lost, and the hub has noticed."""
    for agent in network.agents.values():
        agent.wire.cut()
    wait_until(
        lambda: not any(row.online for row in network.village.rows(models.Device)), "the wills"
    )


def test_before_the_outage_let_in_after_it_not_and_the_coordinator_sees_which(
    network: Network, coordinator: httpx.Client
) -> None:
    agent, village = network.agents[FIRST], network.village
    first = book(coordinator, network, village.enrol(BEFORE), HALL)
    wait_until(
        lambda: delivery(coordinator, first, FRONT)["delivered"], "the doors to confirm the booking"
    )
    assert "on the doors" in on_the_page(coordinator, first)
    cut(network)

    second = book(coordinator, network, village.enrol(AFTER), MEETING_ROOM)
    assert second["delivered"] is False
    granted, denied = agent.tap(FRONT, BEFORE), agent.tap(FRONT, AFTER)
    assert (granted["by"], granted["granted"], granted["reason"]) == ("edge", True, "booked")
    assert (denied["by"], denied["granted"]) == ("edge", False)
    seen = delivery(coordinator, second, FRONT)
    assert (seen["state"], seen["why"], seen["delivered"]) == ("waiting", "offline", False)
    assert "not yet delivered, device offline" in on_the_page(coordinator, second)
    assert delivery(coordinator, first, FRONT)["delivered"]
    assert "not yet delivered" not in on_the_page(coordinator, first)

    for each in network.agents.values():
        each.wire.restore()
    wait_until(
        lambda: delivery(coordinator, second, FRONT)["delivered"],
        "the doors to have the second as well",
    )
    assert "not yet delivered" not in on_the_page(coordinator, second)
    assert agent.tap(FRONT, AFTER)["granted"]
