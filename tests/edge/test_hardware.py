"""What the inputs of a door report, and what its lamps and buzzer say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.edge.rig import BACK, FRONT, Rig, dorf

from kokubus.happenings import Beep, ContactClosed, ContactOpened, ExitPressed, Light, Pattern
from kokubus.site import Site
from kokubus_edge.signals import DARK, GREEN, LIGHTS, Player
from kokubus_edge.simulate import pins as simulated


@pytest.fixture
def site() -> Site:
    return dorf()


@pytest.fixture
def rig(site: Site) -> Iterator[Rig]:
    made = Rig(site)
    yield made
    made.hardware.close()


def test_contacts_are_reported_as_found_then_as_they_change(rig: Rig) -> None:
    assert rig.seen == []
    rig.hardware.start()
    assert rig.seen == [ContactClosed(FRONT)]
    simulated.open_door(rig.pins, rig.front)
    simulated.close_door(rig.pins, rig.front)
    assert rig.seen[1:] == [ContactOpened(FRONT), ContactClosed(FRONT)]


def test_a_door_found_open_is_reported_open(site: Site) -> None:
    rig = Rig(site)
    simulated.open_door(rig.pins, rig.front)
    rig.hardware.start()
    rig.hardware.close()
    assert rig.seen == [ContactOpened(FRONT)]


def test_a_press_is_one_request_however_long(rig: Rig) -> None:
    rig.hardware.start()
    rig.seen.clear()
    simulated.press_exit(rig.pins, rig.front)
    rig.hardware.refresh()
    simulated.release_exit(rig.pins, rig.front)
    simulated.press_exit(rig.pins, rig.front)
    assert rig.seen == [ExitPressed(FRONT), ExitPressed(FRONT)]


def test_a_lost_edge_is_found_by_looking(rig: Rig) -> None:
    rig.hardware.start()
    rig.seen.clear()
    pin = rig.pins.pin(rig.front.pins.contact)
    pin.edges = "none"  # as RPi.GPIO within its bounce time
    simulated.open_door(rig.pins, rig.front)
    assert rig.seen == []
    rig.hardware.refresh()
    rig.hardware.refresh()
    assert rig.seen == [ContactOpened(FRONT)]


def test_contacts_and_buttons_are_debounced(rig: Rig) -> None:
    pins = rig.front.pins
    assert [rig.pins.pin(pin).bounce for pin in (pins.contact, pins.exit)] == [0.05, 0.05]


def test_a_short_motion_between_two_readings_is_not_lost(rig: Rig) -> None:
    (pir,) = rig.sensors
    rig.hardware.start()
    assert rig.hardware.motion() == {"dorf-pir": False}
    simulated.move(rig.pins, pir, moving=True)
    simulated.move(rig.pins, pir, moving=False)
    assert rig.hardware.motion() == {"dorf-pir": True}
    assert rig.hardware.motion() == {"dorf-pir": False}
    simulated.move(rig.pins, pir, moving=True)
    assert [rig.hardware.motion()["dorf-pir"] for _ in range(2)] == [True, True]


def lamp(rig: Rig) -> tuple[bool, bool]:
    return bool(rig.pins.pin(5).state), bool(rig.pins.pin(6).state)


def test_a_grant_is_green_and_a_denial_red_and_both_sound(rig: Rig) -> None:
    rig.hardware.perform(FRONT, Light(Pattern.GRANTED))
    rig.until(lambda: lamp(rig) == GREEN)
    rig.pins.pin(5).clear_states()
    rig.pins.pin(13).clear_states()
    rig.hardware.perform(FRONT, Light(Pattern.DENIED))
    rig.hardware.perform(FRONT, Beep(Pattern.DENIED))
    rig.until(lambda: len(rig.pins.pin(5).states) == 5 and len(rig.pins.pin(13).states) == 5)
    assert [state.state for state in rig.pins.pin(5).states] == [False] + [True, False] * 2
    assert lamp(rig) == DARK


@pytest.mark.parametrize("pattern", list(Pattern))
def test_every_pattern_can_be_shown_at_a_door_with_and_without_lamps(
    rig: Rig, pattern: Pattern
) -> None:
    for door in (FRONT, BACK):
        rig.hardware.perform(door, Light(pattern))
        rig.hardware.perform(door, Beep(pattern))
    assert rig.pins.edges == []


class FakeLine:
    """A lamp that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[float] = []

    @property
    def value(self) -> float:
        return self.told[-1]

    @value.setter
    def value(self, value: float) -> None:
        self.told.append(value)
        if value == 2:
            raise OSError("EIO")

    def close(self) -> None:
        self.told.append(-1)


def test_after_a_pattern_the_door_shows_again_what_it_rests_in(rig: Rig) -> None:
    line = FakeLine()
    player = Player([line], "lamp")
    player.play([(0.001, (True,))], then=[(0.001, (False,)), (0.001, (True,))])
    rig.until(lambda: len(line.told) > 6)
    player.close()
    assert line.told[-2:] == [0, -1]


def test_a_resting_pattern_returns_after_a_tap(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {**LIGHTS, Pattern.DENIED: ((0.001, (True, False)),)}
    monkeypatch.setattr("kokubus_edge.hardware.LIGHTS", short)
    rig.hardware.perform(FRONT, Light(Pattern.FREE))
    rig.hardware.perform(FRONT, Light(Pattern.DENIED))
    rig.until(lambda: lamp(rig) == GREEN)
