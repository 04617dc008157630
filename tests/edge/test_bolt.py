"""What moves a bolt, and what lets it go whatever else has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic_ns

import pytest
from tests.edge.rig import BACK, FRONT, FakeRelay, Rig, dorf

from kokubus.errors import KokubusError
from kokubus.happenings import HoldBack, Lock, Unlock
from kokubus.site import Site
from kokubus_edge.bolt import Bolt
from kokubus_edge.hardware import Hardware, release
from kokubus_edge.simulate import pins as simulated
from kokubus_edge.simulate.pins import SimulatedPins


@pytest.fixture
def site() -> Site:
    return dorf()


@pytest.fixture
def rig(site: Site) -> Iterator[Rig]:
    made = Rig(site)
    yield made
    made.hardware.close()


def test_building_starting_and_closing_moves_no_relay(site: Site) -> None:
    rig = Rig(site)
    rig.hardware.start()
    rig.hardware.refresh()
    rig.hardware.close()
    assert rig.pins.edges == []


@pytest.mark.parametrize("door", [FRONT, BACK])
def test_the_bolt_is_let_go_while_the_agents_loop_stands_still(rig: Rig, door: str) -> None:
    asked = monotonic_ns() // 1_000_000
    rig.hardware.perform(door, Unlock(80))
    assert simulated.unlocked(rig.pins, rig.doors[door])
    rig.until(lambda: not rig.hardware.drawn(door))  # nobody performs or refreshes anything
    assert rig.edges(door) == [True, False]
    assert rig.pins.edges[-1].mono - asked >= 80


def test_an_active_low_relay_rests_high(rig: Rig) -> None:
    assert rig.pins.pin(23).state is True
    rig.hardware.perform(BACK, Unlock(60_000))
    assert rig.pins.pin(23).state is False
    rig.hardware.perform(BACK, Lock())
    assert rig.pins.pin(23).state is True


def test_a_second_unlock_extends_and_never_shortens(rig: Rig) -> None:
    rig.hardware.perform(FRONT, Unlock(60_000))
    rig.hardware.perform(FRONT, Unlock(1))
    rig.hardware.perform(BACK, Unlock(1))
    rig.until(lambda: rig.edges(BACK) == [True, False])
    assert rig.edges(FRONT) == [True]
    rig.hardware.perform(BACK, Unlock(1))
    rig.hardware.perform(BACK, Unlock(60_000))
    assert rig.hardware.drawn(BACK)


def test_lock_lets_go_at_once_and_for_good(rig: Rig) -> None:
    rig.hardware.perform(FRONT, Unlock(60_000))
    rig.hardware.perform(FRONT, HoldBack())
    rig.hardware.perform(FRONT, Lock())
    rig.hardware.refresh()
    assert rig.edges(FRONT) == [True, False]


def test_a_bolt_held_back_outlasts_a_pulse(rig: Rig) -> None:
    rig.hardware.perform(FRONT, HoldBack())
    rig.hardware.perform(FRONT, Unlock(1))
    rig.hardware.perform(BACK, Unlock(30))
    rig.until(lambda: rig.edges(BACK) == [True, False])
    assert rig.edges(FRONT) == [True]


def test_closing_lets_a_drawn_bolt_go(site: Site) -> None:
    rig = Rig(site)
    rig.hardware.perform(FRONT, Unlock(60_000))
    rig.hardware.perform(BACK, HoldBack())
    rig.hardware.close()
    assert rig.edges(FRONT) == rig.edges(BACK) == [True, False]


def test_a_bolt_held_back_falls_when_the_loop_no_longer_calls() -> None:
    relay = FakeRelay()
    bolt = Bolt(relay, "door", lease_s=0.05)
    bolt.hold()
    assert relay.wait_for([True, False])
    bolt.refresh()  # the loop came back, and the mode still holds
    assert relay.wait_for([True, False, True, False])
    bolt.close()


def test_a_relay_that_does_not_obey_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    relay = FakeRelay(failures=1)
    bolt = Bolt(relay, "dorf-front", lease_s=1)
    bolt.pulse(10)
    assert relay.wait_for([True, False])
    bolt.close()
    assert "bolt of dorf-front: its relay does not obey" in caplog.text


def test_a_bolt_without_its_off_timer_is_not_drawn() -> None:
    relay = FakeRelay()
    bolt = Bolt(relay, "door")
    bolt.close()
    with pytest.raises(KokubusError, match="restart the agent"):
        bolt.pulse(1000)
    assert relay.states == [False]


def test_a_killed_agents_relays_are_released(site: Site) -> None:
    factory = SimulatedPins(site.doors)
    for door in site.doors:  # as the kernel leaves them: outputs, energised
        pin = factory.pin(door.pins.lock)
        pin.output_with_state(not door.pins.lock_active_high)
        pin.state = door.pins.lock_active_high
    assert all(simulated.unlocked(factory, door) for door in site.doors)
    factory.edges.clear()
    states = []
    for door in site.doors:
        release([door], factory)
        states.append(factory.pin(door.pins.lock).state != door.pins.lock_active_high)
    assert states == [True, True]


def test_release_goes_on_after_a_broken_pin_and_names_it(site: Site) -> None:
    factory = SimulatedPins(site.doors)
    taken = Hardware(site.doors[:1], (), [].append, factory)
    factory.pin(23).output_with_state(state=True)
    factory.pin(23).state = False
    with pytest.raises(KokubusError, match=r"dorf-front \(GPIO 17\)"):
        release(site.doors, factory)
    assert factory.pin(23).state is True
    taken.close()


def test_relay_edges_are_on_file_for_whoever_counts_after_a_crash(
    site: Site, tmp_path: Path
) -> None:
    log = tmp_path / "relays.log"
    assert simulated.relay_edges(log) == []
    rig = Rig(site, log)
    rig.hardware.perform(BACK, Unlock(60_000))
    assert simulated.relay_edges(log) == rig.pins.edges
    rig.hardware.close()
    assert [edge.energised for edge in simulated.relay_edges(log)] == [True, False]
