"""Which program reads which `[[door.reader]]` of a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kokubus.credential import Credential
from kokubus.site import Door, Hid, Mfrc522, Reader, Wiegand
from kokubus_edge.badge_number import badge_number
from kokubus_edge.hid import HidReader, typed_number
from kokubus_edge.input_device import InputDevice
from kokubus_edge.keypad import Keypad
from kokubus_edge.mfrc522 import MfrcPackageBus, RegisterBus
from kokubus_edge.reader import POLL_MS, BadgeReader, Mfrc522Reader
from kokubus_edge.spidev_bus import SpidevBus
from kokubus_edge.wiegand import WiegandReader

TYPED_MS = 15
"""The kernel keeps 64 events of a keyboard; the quickest type three a millisecond."""


def poll_ms(reader: Reader) -> int:
    """How often a reader is asked."""
    return TYPED_MS if isinstance(reader, Hid) else POLL_MS


def make_reader(reader: Reader, door: Door, factory: Any) -> BadgeReader:
    """The reader of a door; ``factory`` is gpiozero's, for those that hang on pins."""
    match reader:
        case Mfrc522():
            return Mfrc522Reader(_bus(reader, door, factory))
        case Wiegand():
            number = partial(_wired, reverse=reader.order == "last", whole_uid=reader.whole_uid)
            keypad = Keypad(reader.pin_length)
            return WiegandReader(reader.data0, reader.data1, factory, number=number, keypad=keypad)
        case Hid():
            return HidReader(
                partial(InputDevice, Path(reader.path)),
                layout=reader.layout,
                number=partial(_typed, reader),
                keypad=Keypad(reader.pin_length) if reader.types == "pins" else None,
            )


def _bus(reader: Mfrc522, door: Door, factory: Any) -> Callable[[], RegisterBus]:
    if reader.driver == "spidev":
        return partial(SpidevBus.open, reader.device, reset_pin=reader.reset, factory=factory)
    taken: Sequence[int] = [pin for _, pin in door.pins.wires()]
    return partial(MfrcPackageBus.open, reader.device, reset_pin=reader.reset, taken_pins=taken)


def _wired(number: bytes, *, reverse: bool, whole_uid: bool) -> Credential:
    return badge_number(number[::-1] if reverse else number, whole_uid=whole_uid)


def _typed(reader: Hid, typed: str) -> Credential:
    number = typed_number(
        typed,
        decimal=reader.types == "decimal",
        reverse=reader.order == "last",
        uid_bytes=reader.uid_bytes,
    )
    return badge_number(number, whole_uid=reader.whole_uid)
