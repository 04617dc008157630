"""Stand-ins for the modules `spidev` and `RPi.GPIO`, put in place only when asked for."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from kokubus.errors import KokubusError
from kokubus_edge.emulator.chip import Mfrc522Chip

# The driver package too: once loaded it holds on to the stand-ins it was loaded with.
STAND_INS = ("spidev", "RPi", "RPi.GPIO")
DRIVER = ("mfrc522", "mfrc522.MFRC522", "mfrc522.SimpleMFRC522")
MARK = "emulated by kokubus"


class EmulatorError(KokubusError):
    """The stand-ins cannot be put in place."""


class Pins:
    """What was asked of `RPi.GPIO`, in order: `calls` of (function, arguments)."""

    BOARD, BCM, OUT, IN = 10, 11, 0, 1

    def __init__(self) -> None:
        self.mode: int | None = None
        self.calls: list[tuple[str, tuple[int, ...]]] = []

    def getmode(self) -> int | None:
        """As RPi.GPIO: how pins are numbered, None before anyone chose."""
        return self.mode

    def setmode(self, mode: int) -> None:
        """As RPi.GPIO; it refuses a second, different numbering."""
        if self.mode not in {None, mode}:
            raise ValueError("A different mode has already been set!")
        self.mode = mode

    def setup(self, pin: int, direction: int) -> None:
        """Noted."""
        self.calls.append(("setup", (pin, direction)))

    def output(self, pin: int, level: int) -> None:
        """Noted."""
        self.calls.append(("output", (pin, level)))

    def cleanup(self) -> None:
        """Noted: on a real door this would let go of the lock relay's pin."""
        self.calls.append(("cleanup", ()))


def install(*chips: Mfrc522Chip) -> Pins:
    """Put the stand-ins in place; the chips sit at SPI 0.0, 0.1 and so on.

    Replaces an earlier installation. Raises `EmulatorError` where the real modules are loaded.
    """
    real = [name for name in STAND_INS if _is_real(sys.modules.get(name))]
    if real:
        raise EmulatorError(
            f"the real {', '.join(real)} is loaded in this process: "
            "install the emulator before anything opens the hardware, or not at all"
        )
    uninstall()
    pins = Pins()
    sys.modules.update(_stand_ins(dict(enumerate(chips)), pins))
    return pins


def uninstall() -> None:
    """Take the stand-ins away, and the driver package loaded with them."""
    if "spidev" in sys.modules and not _is_real(sys.modules["spidev"]):
        for name in (*STAND_INS, *DRIVER):
            sys.modules.pop(name, None)


@contextmanager
def installed(*chips: Mfrc522Chip) -> Iterator[Pins]:
    """The stand-ins for the length of a `with` block."""
    pins = install(*chips)
    try:
        yield pins
    finally:
        uninstall()


def _is_real(module: ModuleType | None) -> bool:
    return module is not None and module.__doc__ != MARK


def _stand_ins(chips: dict[int, Mfrc522Chip], pins: Pins) -> dict[str, ModuleType]:
    spidev, package, gpio = (ModuleType(name, MARK) for name in STAND_INS)
    vars(spidev)["SpiDev"] = _spi_class(chips)
    for name in ("BOARD", "BCM", "OUT", "IN", "getmode", "setmode", "setup", "output", "cleanup"):
        setattr(gpio, name, getattr(pins, name))
    vars(package)["GPIO"] = gpio
    return {"spidev": spidev, "RPi": package, "RPi.GPIO": gpio}


def _spi_class(chips: dict[int, Mfrc522Chip]) -> type:
    class SpiDev:
        """As the `spidev` package's class, for the calls the driver makes."""

        def __init__(self) -> None:
            self.max_speed_hz = 500_000
            self._chip: Mfrc522Chip | None = None

        def open(self, bus: int, device: int) -> None:
            if bus != 0 or device not in chips:
                raise FileNotFoundError(
                    errno.ENOENT, "No such file or directory", f"/dev/spidev{bus}.{device}"
                )
            self._chip = chips[device]

        def xfer2(self, data: Sequence[int]) -> list[int]:
            if self._chip is None:
                raise OSError(errno.EBADF, "Bad file descriptor")
            return self._chip.transfer(data, self.max_speed_hz)

        def close(self) -> None:
            self._chip = None

    return SpiDev
