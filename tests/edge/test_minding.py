"""Silence of the hub, and a clock that is not believed, become alarms that also end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.edge.agent_parts import Policies, policy
from tests.edge.fake_clock import FakeClock
from tests.edge.policy_bench import AtOnce

from kokubus.messages import Clock
from kokubus.rights import Content, Policy
from kokubus_edge.minding import BYGONE_MS, BYGONES, HOUR_MS, Minding
from kokubus_edge.trouble import Trouble


class Door:
    def __init__(self, folder: Path, life_h: int | None = 72) -> None:
        life = life_h * HOUR_MS if life_h else None
        self.clock = FakeClock()
        self.policies = Policies(Policy(Content(), policy().number, life))
        self._folder = folder
        self.restart()

    def restart(self) -> None:
        self.minding = Minding(
            self._folder / "alarms.json",
            clock=self.clock,  # type: ignore[arg-type]
            policies=self.policies,  # type: ignore[arg-type]
            disk=AtOnce(),
        )

    def alarms(self, age_h: float = 0) -> list[tuple[str, bool]]:
        self.policies.age = int(age_h * HOUR_MS)
        self.said: list[Any] = list(self.minding.look(linked=False))
        assert all(isinstance(one, Trouble) for one in self.said)
        return [(one.alarm, one.active) for one in self.said]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_warnings_at_24_and_48_hours_of_silence_and_at_the_end(door: Door) -> None:
    told = {hour: found for hour in range(80) if (found := door.alarms(hour))}
    assert told == {
        24: [("hub_silent", True)],
        48: [("hub_silent_long", True)],
        72: [("policy_stale", True)],
    }
    assert door.alarms(0) == [
        ("hub_silent", False), ("hub_silent_long", False), ("policy_stale", False),
    ]  # fmt: skip


def test_the_warning_says_what_will_happen(door: Door) -> None:
    door.alarms(24)
    assert door.said[0].detail == "24 h without the hub; after 72 h only keyholders get in"


def test_a_site_with_another_expiry_is_warned_at_its_thirds(tmp_path: Path) -> None:
    door = Door(tmp_path, life_h=12)
    assert [hour for hour in range(14) if door.alarms(hour)] == [4, 8, 12]


def test_an_alarm_ends_also_after_a_restart(door: Door) -> None:
    door.alarms(50)
    door.restart()
    assert door.alarms(50) == []
    door.restart()
    assert door.alarms(0) == [("hub_silent", False), ("hub_silent_long", False)]
    door.restart()
    assert door.alarms(0) == []


def test_what_was_raised_before_a_restart_and_not_since_is_over(door: Door) -> None:
    """Those who raise it remember it in memory alone; the hub would keep it for ever."""
    assert door.alarms() == []
    door.minding.raised("disk_full")
    door.clock.pass_ms(BYGONE_MS - 1)
    assert door.alarms() == []
    door.clock.pass_ms(1)
    over = [alarm for alarm in BYGONES if alarm != "disk_full"]
    assert door.alarms() == [(alarm, False) for alarm in over]
    door.clock.pass_ms(10 * BYGONE_MS)
    assert door.alarms() == []


def test_a_clock_that_is_not_believed_is_an_alarm(door: Door) -> None:
    door.clock.believed = Clock.UNTRUSTED
    assert door.alarms() == [("clock_untrusted", True)]
    door.clock.believed = Clock.HOLDOVER
    assert door.alarms() == [("clock_untrusted", False)]


def test_without_a_policy_there_is_nothing_to_be_old(door: Door) -> None:
    door.policies.policy = None
    assert door.alarms(100) == []


def test_a_disk_that_refuses_costs_the_memory_alone(tmp_path: Path) -> None:
    (tmp_path / "alarms.json").mkdir()
    door = Door(tmp_path)
    assert door.alarms(25) == [("hub_silent", True)]
    assert door.alarms(25) == []
