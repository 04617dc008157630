"""Case 14, second half: the same badge in Calw and in the KoKubus two minutes apart."""

from __future__ import annotations

import pytest
from tests.acceptance.rig.dated import House
from tests.hub.intake_world import FRONT, NOW, UID, Device

from kokubus_hub import models
from kokubus_hub.travel import Travel

CALW = {"latitude": 48.714, "longitude": 8.740}
HERRENALB = {"latitude": 48.797, "longitude": 8.437}
MINUTE_MS = 60_000

pytestmark = pytest.mark.slow


@pytest.fixture
def two_places(dated: House) -> House:
    """The house stands in Calw, a container in Bad Herrenalb; somebody may enter both."""
    hub = dated.hub
    hub.add(models.Municipality, slug="herrenalb", name="Bad Herrenalb")
    hub.add(models.Site, slug="kokubus", name="KoKubus", kind="container")
    hub.add(models.Room, site_id=2, slug="kokubus-cabin", name="Kubus", capacity=6)
    hub.add(models.Device, site_id=2, slug="kokubus-1")
    door = {"slug": "kokubus-door", "name": "Tür"}
    hub.add(models.Door, site_id=2, device_id=3, room_id=3, **door)
    hub.add(models.Placement, site_id=1, municipality_id=1, start=0, end=None, **CALW)
    hub.add(models.Placement, site_id=2, municipality_id=2, start=0, end=None, **HERRENALB)
    hub.member()
    return dated


def alarms(house: House, after_ms: int) -> list[tuple[str, int]]:
    """Taps in Calw, then in the container so long after; the alarms, by kind and site."""
    hub = house.hub
    travel = Travel(hub.engine, 100)
    hub.now = NOW
    hub.take(hub.device.tap(UID, FRONT, at=NOW))
    travel.look(hub.now)
    hub.now = NOW + after_ms
    container = Device("kokubus-1", hub.keyring)
    hub.take(container.tap(UID, "kokubus-door", at=hub.now))
    travel.look(hub.now)
    travel.look(hub.now)
    return [(row["kind"], row["site_id"]) for row in hub.rows(models.Alarm)]


def test_two_minutes_apart_is_an_alarm(two_places: House) -> None:
    assert alarms(two_places, 2 * MINUTE_MS) == [("impossible_travel", 2)]


def test_half_an_hour_apart_is_a_drive(two_places: House) -> None:
    assert alarms(two_places, 30 * MINUTE_MS) == []
