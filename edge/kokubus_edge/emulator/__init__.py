"""An MFRC522 and the cards in its field, register by register, for a machine without either.

`install(chip)` puts stand-ins for `spidev` and `RPi.GPIO` in place, so that the unmodified
`mfrc522` package drives the emulated chip. The demo and the tests run on it.
"""

from kokubus_edge.emulator.bits import Bits
from kokubus_edge.emulator.card import Card
from kokubus_edge.emulator.chip import Mfrc522Chip
from kokubus_edge.emulator.field import Field
from kokubus_edge.emulator.modules import EmulatorError, Pins, install, installed, uninstall
from kokubus_edge.emulator.noise import Noise

__all__ = [
    "Bits",
    "Card",
    "EmulatorError",
    "Field",
    "Mfrc522Chip",
    "Noise",
    "Pins",
    "install",
    "installed",
    "uninstall",
]
