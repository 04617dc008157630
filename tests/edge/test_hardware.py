"""What the inputs of a door report, and what its lamps and buzzer say."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.edge.rig import BACK, FRONT, SITE, Rig, dorf

from kokubus.happenings import (
    Beep,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    ExitReleased,
    Light,
    Pattern,
    TamperChanged,
)
from kokubus.messages import Side
from kokubus.site import Site, read_site
from kokubus_edge.inputs import SETTLE_MS
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
    rig.until(lambda: len(rig.seen) == 2)
    simulated.close_door(rig.pins, rig.front)
    rig.until(lambda: len(rig.seen) == 3)
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
    rig.until(lambda: len(rig.seen) == 1)
    rig.hardware.refresh()
    simulated.release_exit(rig.pins, rig.front)
    threading.Event().wait(3 * SETTLE_MS / 1000)
    simulated.press_exit(rig.pins, rig.front)
    rig.until(lambda: len(rig.seen) == 2)
    assert rig.seen == [ExitPressed(FRONT), ExitPressed(FRONT)]


def test_a_lost_edge_is_found_by_looking(rig: Rig) -> None:
    rig.hardware.start()
    rig.seen.clear()
    pin = rig.pins.pin(rig.front.pins.contact)
    pin.edges = "none"  # as a driver within its bounce time
    simulated.open_door(rig.pins, rig.front)
    rig.until(lambda: bool(rig.seen))
    assert rig.seen == [ContactOpened(FRONT)]


def test_a_spark_on_the_wire_is_nothing(rig: Rig) -> None:
    rig.hardware.start()
    rig.seen.clear()
    simulated.open_door(rig.pins, rig.front)
    simulated.close_door(rig.pins, rig.front)
    threading.Event().wait(3 * SETTLE_MS / 1000)
    assert rig.seen == []


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


MORE = """
[[door]]
id = "dorf-side"
name = "Seitentür"
room = "dorf-hall"
device = "dorf-1"
pins = { lock = 26, exit = 19, exit_pir = true, tamper = 16 }
[[sensor]]
id = "dorf-beam"
room = "dorf-hall"
quantity = "beam"
kind = "beam"
device = "dorf-1"
pin = 20
inner_pin = 21
"""
SIDE = "dorf-side"


@pytest.fixture
def more() -> Iterator[Rig]:
    made = Rig(read_site(SITE + MORE, "dorf.toml"))
    yield made
    made.hardware.close()


def test_a_pir_that_lets_out_says_when_it_begins_and_when_it_ends(more: Rig) -> None:
    more.hardware.start()
    door = more.doors[SIDE]
    more.seen.clear()
    simulated.press_exit(more.pins, door)
    more.until(lambda: more.seen == [ExitPressed(SIDE, lasting=True)])
    simulated.release_exit(more.pins, door)
    more.until(lambda: more.seen[1:] == [ExitReleased(SIDE)])


def test_an_opened_box_and_a_cut_wire_are_tampering(more: Rig) -> None:
    more.hardware.start()
    assert TamperChanged(SIDE, tampered=False) in more.seen
    more.seen.clear()
    more.pins.pin(16).drive_high()
    more.until(lambda: more.seen == [TamperChanged(SIDE, tampered=True)])


def walk(rig: Rig, *beams: int) -> None:
    """Break and make whole each beam in turn, as somebody who walks."""
    for number in beams:
        pin = rig.pins.pin(number)
        (pin.drive_low if pin.state else pin.drive_high)()
        threading.Event().wait(0.06)


def test_a_pair_of_beams_says_which_way_somebody_went(more: Rig) -> None:
    more.hardware.start()
    walk(more, 20, 21, 20, 21)
    more.until(lambda: more.crossed == [("dorf-beam", Side.IN)])
    walk(more, 21, 20, 21, 20)
    more.until(lambda: more.crossed[1:] == [("dorf-beam", Side.OUT)])
    walk(more, 20, 21, 21, 20)
    assert len(more.crossed) == 2
    assert more.hardware.beams["dorf-beam"].at_work() == {"dorf-beam": 0.0}


def test_beams_that_something_stands_in_do_not_work(
    more: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    more.hardware.start()
    walk(more, 20)
    pair = more.hardware.beams["dorf-beam"]
    assert not pair.blocked()
    monkeypatch.setattr("kokubus.beam.BLOCKED_MS", 0)
    more.until(pair.blocked)  # the pin's edge is told by a thread
    with pytest.raises(OSError, match="stands in the light beams"):
        pair.at_work()
