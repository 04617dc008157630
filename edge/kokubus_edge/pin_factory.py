"""Which library reaches the GPIO pins: chosen here, never fallen back upon.

gpiozero's own default tries lgpio, RPi.GPIO, pigpio and then ``native``, warning only. Here:

- lgpio, else RPi.GPIO, or the one that ``GPIOZERO_PIN_FACTORY`` names;
- ``mock`` only where ``GPIOZERO_PIN_FACTORY=mock`` and ``simulated = true`` both ask for it: a
  real door must not become a pretended one, nor an emulated badge move a real bolt;
- neither ``native`` (gpiozero calls it experimental) nor ``pigpio`` (a daemon, perhaps on another
  machine, that would keep the relay drawn when the agent is dead).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from tempfile import mkdtemp
from typing import Any

from kokubus.errors import SettingsError
from kokubus_edge.settings import Settings

VARIABLE = "GPIOZERO_PIN_FACTORY"


def pin_factory(settings: Settings, environ: Mapping[str, str]) -> Any:
    """A gpiozero pin factory; SettingsError says why there is none and what to do."""
    name = environ.get(VARIABLE, "").lower()
    if (name == "mock") != settings.simulated:
        raise SettingsError(
            f"agent.toml: simulated = {str(settings.simulated).lower()}, but {VARIABLE}="
            f"{name or '(not set)'}: simulated = true and {VARIABLE}=mock go together; "
            "ask for both, or for neither at a real door"
        )
    if name == "mock":
        return _mock(settings)
    if name and name not in _REAL:
        known = " or ".join(_REAL)
        raise SettingsError(f"{VARIABLE}={name}: not used for doors; unset it, or name {known}")
    return _first([name] if name else list(_REAL))


def _first(names: list[str]) -> Any:
    failures: list[str] = []
    for name in names:
        try:
            return _REAL[name]()
        except Exception as error:  # a driver that is absent or without hardware raises anything
            failures.append(f"{name}: {type(error).__name__}: {error}")
    raise SettingsError(
        f"no GPIO pins can be reached ({'; '.join(failures)}). On a Raspberry Pi install "
        "kokubus[edge,pi] and let the agent's user into the group gpio; elsewhere ask for "
        f"simulated ones: simulated = true in agent.toml and {VARIABLE}=mock"
    )


def _lgpio() -> Any:
    """lgpio makes a pipe in the folder it is loaded in, or in the one that LG_WD names."""
    if not os.access(os.curdir, os.W_OK):
        os.environ.setdefault("LG_WD", mkdtemp(prefix="kokubus-"))
    from kokubus_edge.quiet_pins import quiet_lgpio_factory  # noqa: PLC0415 - only a Pi has lgpio

    return quiet_lgpio_factory()


def _rpigpio() -> Any:
    from gpiozero.pins.rpigpio import RPiGPIOFactory  # noqa: PLC0415 - only a Pi has RPi.GPIO

    return RPiGPIOFactory()


def _mock(settings: Settings) -> Any:
    from kokubus_edge.simulate.pins import SimulatedPins  # noqa: PLC0415 - not at a real door

    settings.data.mkdir(parents=True, exist_ok=True)
    log = settings.data / "relays.log"
    return SimulatedPins(settings.doors, log=log, sensors=settings.sensors)


_REAL: Mapping[str, Callable[[], Any]] = {"lgpio": _lgpio, "rpigpio": _rpigpio}
