"""A card that was copied is noticed: by boots that come back, and by numbers used twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.intake_world import Device, World, world

from kokubus.messages import DeviceStatus
from kokubus_hub import cloned, models


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def born(hub: World, *boots: str) -> list[str]:
    """The alarms after these births, one after the other."""
    for boot in boots:
        hub.take(hub.device.say(DeviceStatus(online=True, at=1, boot=boot)))
        hub.now += 1_000
    return [row["kind"] for row in hub.rows(models.Alarm)]


def test_restarts_and_reboots_are_no_clones(hub: World) -> None:
    assert born(hub, "a", "a", "b", "b", "c") == []


def test_a_boot_that_comes_back_is_another_machine(hub: World) -> None:
    assert born(hub, "a", "b", "a") == [cloned.ALARM]
    assert born(hub, "b", "a", "b") == [cloned.ALARM]  # one alarm, however long they fight
    assert hub.rows(models.Alarm)[0]["detail"] == {"boots": ["b", "a"]}


def test_a_last_will_is_no_birth(hub: World) -> None:
    born(hub, "a", "b")
    hub.take(hub.device.say(DeviceStatus(online=False, at=1, boot="a")))
    assert hub.rows(models.Alarm) == []


def test_a_number_used_twice_is_kept_for_somebody_to_judge(hub: World) -> None:
    """The copy was taken after the first tap: both go on from the same number."""
    hub.member()
    copy = Device("dorf-1", hub.keyring, epoch=hub.device.epoch, made=500)
    hub.take(hub.device.tap())
    replies = hub.take(copy.tap())
    assert [row["kind"] for row in hub.rows(models.Alarm)] == [cloned.ALARM]
    [letter] = hub.rows(models.DeadLetter)
    assert "this device's card was copied" in letter["error"]
    assert hub.receipted(replies)  # or it would come for ever


def test_a_tap_that_comes_again_is_no_clone(hub: World) -> None:
    hub.member()
    tap = hub.device.tap()
    for _ in range(3):
        hub.take(tap)
    assert hub.rows(models.Alarm) == []
    assert hub.rows(models.DeadLetter) == []
