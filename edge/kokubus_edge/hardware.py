"""The wires of a device: relays, contacts, buttons, PIRs, lamps and buzzers.

`Hardware.perform` is the only line that moves a bolt. Inputs do no more than put a happening on
the agent's inbox, from gpiozero's own threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from gpiozero import DigitalInputDevice, OutputDevice

from kokubus.errors import KokubusError
from kokubus.happenings import (
    Beep,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    ExitReleased,
    HoldBack,
    Light,
    Lock,
    Pattern,
    TamperChanged,
    Unlock,
)
from kokubus.messages import Side
from kokubus.site import Door, Pins, Sensor
from kokubus_edge.beams import BeamPair
from kokubus_edge.bolt import Bolt
from kokubus_edge.inputs import BOUNCE_S, Input, Watch
from kokubus_edge.signals import LIGHTS, RESTING, SOUNDS, Player

Deed: TypeAlias = Unlock | HoldBack | Lock | Light | Beep
"""The acts of `kokubus.happenings` that need a wire."""
Seen: TypeAlias = ContactOpened | ContactClosed | ExitPressed | ExitReleased | TamperChanged
Inbox: TypeAlias = Callable[[Seen], None]
Crossed: TypeAlias = Callable[[str, Side], None]
"""Is told which pair of light beams somebody crossed, and which way."""


def _ignore_crossing(sensor: str, side: Side) -> None:
    """Nobody asked."""


class Hardware:
    """Everything wired to one device.

    ``factory`` is a gpiozero pin factory, see `kokubus_edge.pin_factory`. Building it moves no
    bolt. Nothing is reported before `start`, which says how each contact was found.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        sensors: Sequence[Sensor],
        inbox: Inbox,
        factory: Any,
        crossed: Crossed = _ignore_crossing,
    ) -> None:
        self._doors = {door.id: _WiredDoor(door, inbox, factory) for door in doors}
        self._motion = {
            sensor.id: Input(DigitalInputDevice(sensor.pin, pin_factory=factory), _ignore)
            for sensor in sensors
            if sensor.kind == "pir"
        }
        self._beams = {
            sensor.id: BeamPair(sensor, crossed, factory)
            for sensor in sensors
            if sensor.kind == "beam"
        }
        self._watch = Watch(self._inputs())

    def start(self) -> None:
        """Report how the contacts stand, and every change from now on."""
        self._watch.start()

    def perform(self, door: str, deed: Deed) -> None:
        """Do it; KokubusError if the bolt would not be let go again, KeyError for no door here."""
        self._doors[door].perform(deed)

    def refresh(self) -> None:
        """Say that the agent's loop is alive.

        Due at least every `bolt.HOLD_LEASE_S`, or doors in free passage lock themselves.
        """
        for wired in self._doors.values():
            wired.bolt.refresh()

    def motion(self) -> dict[str, bool]:
        """Whether each PIR saw somebody since this was last asked, by sensor id."""
        return {name: pir.was_active() for name, pir in self._motion.items()}

    @property
    def beams(self) -> Mapping[str, BeamPair]:
        """The pairs of light beams, by sensor id."""
        return self._beams

    def drawn(self, door: str) -> bool:
        """Whether this door's relay is energised."""
        return self._doors[door].bolt.drawn

    def close(self) -> None:
        """Let every bolt go, then give all pins back."""
        for wired in self._doors.values():
            wired.bolt.close()
        self._watch.close()
        for wired in self._doors.values():
            wired.close()
        for pir in self._motion.values():
            pir.close()
        for pair in self._beams.values():
            pair.close()

    def _inputs(self) -> list[Input]:
        doors = [each for wired in self._doors.values() for each in wired.inputs]
        beams = [each for pair in self._beams.values() for each in pair.inputs]
        return doors + list(self._motion.values()) + beams


def release(doors: Sequence[Door], factory: Any) -> None:
    """Drive the relay of every door inactive: what systemd runs when the agent has ended.

    The agent's own off-timers die with it, and a Raspberry Pi's kernel leaves an output as it
    was when its process is gone (raspberrypi/linux pull request 6117): after SIGKILL or a
    crash in the middle of a pulse the door would stay open. Hence
    ``ExecStopPost=kokubus edge release``, which needs neither network nor identity.

    Raises `KokubusError` naming the doors whose relay could not be reached, after all others.
    """
    failures: list[str] = []
    for door in doors:
        try:
            _relay(door.pins, factory).close()
        except Exception as error:  # one broken pin must not leave the next door open
            failures.append(f"{door.id} (GPIO {door.pins.lock}): {error}")
    if failures:
        said = "; ".join(failures)
        raise KokubusError(
            f"relay not released: {said}. Cut the lock's power and call a technician"
        )


class _WiredDoor:
    def __init__(self, door: Door, inbox: Inbox, factory: Any) -> None:
        pins = door.pins
        self.bolt = Bolt(_relay(pins, factory), door.id)
        self._rest = Pattern.IDLE
        lines = [_line(pins.led_red, factory), _line(pins.led_green, factory)]
        self._lights = Player(lines, f"light of {door.id}")
        self._buzzer = Player([_line(pins.buzzer, factory)], f"buzzer of {door.id}")
        self.inputs: list[Input] = []
        if pins.contact is not None:
            self.inputs.append(Input(_switch(pins.contact, factory), _contact(door.id, inbox)))
        if pins.exit is not None and pins.exit_pir:
            self.inputs.append(Input(_pir(pins.exit, factory), _leaving(door.id, inbox)))
        elif pins.exit is not None:
            self.inputs.append(Input(_switch(pins.exit, factory), _exit(door.id, inbox)))
        if pins.tamper is not None:
            self.inputs.append(Input(_switch(pins.tamper, factory), _tamper(door.id, inbox)))

    def perform(self, deed: Deed) -> None:
        match deed:
            case Unlock(pulse_ms):
                self.bolt.pulse(pulse_ms)
            case HoldBack():
                self.bolt.hold()
            case Lock():
                self.bolt.lock()
            case Light(pattern):
                self._show(pattern)
            case Beep(pattern):
                self._buzzer.play(SOUNDS.get(pattern, ()))

    def close(self) -> None:
        self._lights.close()
        self._buzzer.close()
        for each in self.inputs:
            each.close()

    def _show(self, pattern: Pattern) -> None:
        if pattern in RESTING:
            self._rest = pattern
        steps = () if pattern in RESTING else LIGHTS[pattern]
        self._lights.play(steps, then=LIGHTS[self._rest])


def _relay(pins: Pins, factory: Any) -> Any:
    """Energised is unlocked; inactive from the first moment on, also where active is low."""
    return OutputDevice(
        pins.lock, active_high=pins.lock_active_high, initial_value=False, pin_factory=factory
    )


def _line(pin: int | None, factory: Any) -> Any:
    return None if pin is None else OutputDevice(pin, pin_factory=factory)


def _switch(pin: int, factory: Any) -> Any:
    return DigitalInputDevice(pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=factory)


def _pir(pin: int, factory: Any) -> Any:
    return DigitalInputDevice(pin, pull_up=False, bounce_time=BOUNCE_S, pin_factory=factory)


def _contact(door: str, inbox: Inbox) -> Callable[[bool], None]:
    def report(closed: bool) -> None:
        inbox(ContactClosed(door) if closed else ContactOpened(door))

    return report


def _exit(door: str, inbox: Inbox) -> Callable[[bool], None]:
    def report(pressed: bool) -> None:
        if pressed:
            inbox(ExitPressed(door))

    return report


def _leaving(door: str, inbox: Inbox) -> Callable[[bool], None]:
    def report(moving: bool) -> None:
        inbox(ExitPressed(door, lasting=True) if moving else ExitReleased(door))

    return report


def _tamper(door: str, inbox: Inbox) -> Callable[[bool], None]:
    def report(closed: bool) -> None:
        inbox(TamperChanged(door, tampered=not closed))

    return report


def _ignore(active: bool) -> None:
    """A PIR is asked for its latch, when readings are due."""
