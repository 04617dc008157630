"""``[[door.reader]]``: what reads badges, or takes PINs, at one side of a door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from kokubus.happenings import CODE_DIGITS
from kokubus.messages import Side
from kokubus.site.words import Pin, Shape


def _pin_length(digits: int) -> int:
    if digits == CODE_DIGITS:
        raise ValueError(f"{digits} digits are a one-time code; give PINs another length")
    return digits


def _input_device(text: str) -> str:
    if not text.startswith("/dev/input/"):
        raise ValueError(f"{text!r} is no input device; use one of /dev/input/by-id/ or by-path/")
    return text


PinLength = Annotated[int, Field(ge=4, le=12), AfterValidator(_pin_length)]


class Mfrc522(Shape):
    """A chip at SPI ``bus``.``device``.

    ``driver``: ``package`` is PyPI's mfrc522 with RPi.GPIO, ``spidev`` goes by spidev and
    gpiozero, as on a Raspberry Pi 5.
    """

    kind: Literal["mfrc522"]
    side: Side = Side.IN
    bus: Literal[0] = 0
    device: Literal[0, 1] = 0
    reset: Pin = 25
    driver: Literal["package", "spidev"] = "package"

    @property
    def is_keypad(self) -> bool:
        """Whether numbers can be typed there."""
        return False

    def wires(self) -> Iterator[tuple[str, int]]:
        """(key, pin) of all that is connected, but for the SPI bus."""
        yield "reset", self.reset


class Wiegand(Shape):
    """A reader, keypad or both on two wires, which rest high.

    ``order``: which byte of a number comes first on the wire. ``whole_uid``: its data sheet
    says that 34 bits are a whole UID of four bytes; else they are taken for a mere number.
    ``pin_length``: all PINs have so many digits and need no ``#``.
    """

    kind: Literal["wiegand"]
    side: Side = Side.IN
    data0: Pin
    data1: Pin
    order: Literal["first", "last"] = "first"
    whole_uid: bool = False
    pin_length: PinLength | None = None

    @property
    def is_keypad(self) -> bool:
        """Whether numbers can be typed there; a reader without keys sends none."""
        return True

    def wires(self) -> Iterator[tuple[str, int]]:
        """(key, pin) of all that is connected."""
        yield "data0", self.data0
        yield "data1", self.data1


class Hid(Shape):
    """A USB reader or keypad that types like a keyboard.

    ``path`` names the device for good, so not ``/dev/input/event0``. ``types``: ``hex`` or
    ``decimal`` numbers of badges, or ``pins``; ``order``: whether a number's first byte is the
    UID's first or last; ``whole_uid`` as in `Wiegand`, for numbers of four bytes; ``uid_bytes``
    only for decimal ones. ``layout`` of the keyboard it thinks to be.
    """

    kind: Literal["hid"]
    side: Side = Side.IN
    path: Annotated[str, Field(max_length=200), AfterValidator(_input_device)]
    types: Literal["hex", "decimal", "pins"] = "hex"
    order: Literal["first", "last"] = "first"
    uid_bytes: Literal[4, 7] = 4
    whole_uid: bool = False
    layout: Literal["us", "de", "fr"] = "us"
    pin_length: PinLength | None = None

    @property
    def is_keypad(self) -> bool:
        """Whether numbers can be typed there."""
        return self.types == "pins"

    def wires(self) -> Iterator[tuple[str, int]]:
        """None of the header's."""
        yield from ()


Reader: TypeAlias = Annotated[Mfrc522 | Wiegand | Hid, Field(discriminator="kind")]
