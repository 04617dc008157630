"""Simulated people at an emulated chip: what the device's real readers and wires notice of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.simulated_device import (
    CO2,
    FRONT,
    GUEST,
    PIR,
    STRANGER,
    STUDIO,
    WALKED_IN,
    WALKED_OUT,
    Device,
    device,
    settings,
)

from kokubus.happenings import ContactOpened, Unlock
from kokubus.messages import Side
from kokubus_edge.simulate.pins import SimulatedPins
from kokubus_edge.simulate.site import SimulationError, attach


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Device]:
    with device(tmp_path) as made:
        yield made


def test_a_badge_that_may_opens_and_its_holder_walks_in(house: Device) -> None:
    with house.simulation.at(FRONT) as door:
        answer = house.simulation.tap(door, GUEST)
        house.simulation.walk_through(door, 1.0)
    assert (answer.granted, answer.reason, answer.by, answer.opened) == (
        True,
        "booked",
        "hub",
        True,
    )
    assert answer.tap == "tap-1"
    assert house.of(FRONT) == WALKED_IN
    assert [edge.energised for edge in house.pins.edges][:1] == [True]


def test_a_badge_that_may_not_moves_nothing(house: Device) -> None:
    with house.simulation.at(FRONT) as door:
        answer = house.simulation.tap(door, STRANGER)
    assert (answer.granted, answer.reason, answer.opened) == (False, "no_booking", False)
    assert house.pins.edges == []
    assert ContactOpened not in house.of(FRONT)


def test_a_door_drawn_for_somebody_else_is_not_opened_for_the_next(house: Device) -> None:
    house.hardware.perform(FRONT, Unlock(60_000))
    with house.simulation.at(FRONT) as door:
        assert not house.simulation.tap(door, STRANGER).opened
        assert house.simulation.tap(door, GUEST).opened


def test_each_door_has_a_chip_of_its_own(house: Device) -> None:
    with house.simulation.at(STUDIO) as door:
        answer = house.simulation.tap(door, GUEST)
    assert answer.door == STUDIO
    assert {edge.door for edge in house.pins.edges} == {STUDIO}


def test_the_same_badge_may_come_again_after_a_step_away(house: Device) -> None:
    with house.simulation.at(FRONT) as door:
        first = house.simulation.tap(door, STRANGER)
        house.simulation.step_away()
        second = house.simulation.tap(door, STRANGER)
    assert [first.tap, second.tap] == ["tap-1", "tap-2"]


def test_people_leave_by_the_handle(house: Device) -> None:
    with house.simulation.at(FRONT) as door:
        house.simulation.leave(door, 1.0)
    assert house.of(FRONT) == WALKED_OUT


def test_a_forced_door_opens_without_anybody_asking(house: Device) -> None:
    with house.simulation.at(FRONT) as door:
        house.simulation.force(door, 1.0)
    assert house.of(FRONT) == WALKED_IN
    assert house.pins.edges == []


def test_people_queue_at_a_door(house: Device) -> None:
    order: list[str] = []

    def second() -> None:
        with house.simulation.at(FRONT):
            order.append("second")

    with house.simulation.at(FRONT) as door:
        waiting = threading.Thread(target=second)
        waiting.start()
        house.simulation.tap(door, GUEST)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_door_that_does_nothing_is_said_to(
    house: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokubus_edge.simulate.site.SLACK_S", 0.1)
    house.dead = True
    with (
        house.simulation.at(FRONT) as door,
        pytest.raises(SimulationError, match="saw the badge and did nothing"),
    ):
        house.simulation.tap(door, GUEST)


def test_a_reader_that_is_not_at_work_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokubus_edge.simulate.site.SEEN_S", 0.1)
    idle = Device(tmp_path)
    try:
        with (
            idle.simulation.at(FRONT) as door,
            pytest.raises(SimulationError, match="did not see the badge"),
        ):
            idle.simulation.tap(door, GUEST)
    finally:
        idle.hardware.close()


def test_sensors_show_what_they_were_given(house: Device) -> None:
    assert house.simulation.measured() == {}
    house.simulation.set_reading(CO2, 612.0)
    house.simulation.set_reading(PIR, 1)
    assert house.simulation.measured() == {CO2: 612.0}
    assert house.hardware.motion() == {PIR: True}
    house.simulation.set_reading(PIR, 0)
    house.hardware.motion()
    assert house.hardware.motion() == {PIR: False}


def test_state_is_what_somebody_there_would_see(house: Device) -> None:
    with house.simulation.at(FRONT) as door:
        house.simulation.tap(door, GUEST)
        state = house.simulation.state()
    assert state["doors"][FRONT] == {"name": "Haustür", "unlocked": True, "open": False}
    assert state["doors"][STUDIO] == {"name": "Studio", "unlocked": False, "open": False}


@pytest.mark.parametrize("uid", ["", "04A3", "not hex!", "04A3C6CAE261"])
def test_what_is_no_badge_number_is_refused(house: Device, uid: str) -> None:
    with house.simulation.at(FRONT) as door, pytest.raises(SimulationError, match="hex digits"):
        house.simulation.tap(door, uid)


def test_what_is_not_there_is_named(house: Device) -> None:
    with pytest.raises(SimulationError, match=f"no door 'other'; it has: {FRONT}, {STUDIO}"):
        house.simulation.at("other").__enter__()
    with pytest.raises(SimulationError, match=f"no sensor 'other'; it has: {CO2}, {PIR}"):
        house.simulation.set_reading("other", 1)
    with house.simulation.at(FRONT) as door, pytest.raises(SimulationError, match="no reader"):
        house.simulation.tap(door, GUEST, Side.OUT)


def test_a_real_door_is_never_simulated(tmp_path: Path) -> None:
    real = settings(tmp_path, simulated=False)
    with pytest.raises(SimulationError, match="simulated = false"):
        attach(real, SimulatedPins(real.doors))
