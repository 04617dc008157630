"""USB readers and keypads that type: forms of numbers, layouts, a pulled plug, the kernel."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokubus.credential import NUMBER, PIN, UID, Credential
from kokubus.site import Hid
from kokubus_edge.hid import PAUSE_MS, HidReader, typed_number
from kokubus_edge.hid_keys import LAYOUTS, Keyboard
from kokubus_edge.input_device import EV_KEY, EV_SYN, EVENT, LOST, SYN_DROPPED, InputDevice
from kokubus_edge.keypad import Keypad
from kokubus_edge.mfrc522 import ReaderDownError
from kokubus_edge.reader import Code, Misread, Sighting
from kokubus_edge.readers import _typed

SHIFT, ALT_GR, ENTER = 42, 100, 28
PATH = "/dev/input/by-id/usb-reader-event-kbd"


def strokes(text: str, layout: str = "us") -> list[tuple[int, int]]:
    """The key events with which a reader of this layout types a text."""
    plain, shifted, alt = LAYOUTS[layout]
    events: list[tuple[int, int]] = []
    for character in text:
        for modifier, level in ((None, plain | {ENTER: "\n"}), (SHIFT, shifted), (ALT_GR, alt)):
            code = next((code for code, typed in level.items() if typed == character), None)
            if code is None:
                continue
            held = [modifier] if modifier else []
            events += [(one, 1) for one in (*held, code)]
            events += [(one, 0) for one in (code, *held)]
            break
        else:
            pytest.fail(f"{layout} cannot type {character!r}")
    return events


class FakeKeys:
    """An input device whose plug can be pulled."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int]] = []
        self.plugged, self.opened, self.closed = True, 0, 0

    def open(self) -> FakeKeys:
        if not self.plugged:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", PATH)
        self.opened += 1
        return self

    def read(self) -> list[tuple[int, int]]:
        if not self.plugged:
            raise OSError(errno.ENODEV, "No such device")
        events, self.events = self.events, []
        return events

    def close(self) -> None:
        self.closed += 1


class Desk:
    """A USB reader of the site's table ``told``, and somebody at it."""

    def __init__(self, **told: object) -> None:
        table = Hid.model_validate({"kind": "hid", "path": PATH, **told})
        self.keys, self.now, self.layout = FakeKeys(), 10_000, table.layout
        keypad = Keypad(table.pin_length) if table.types == "pins" else None
        self.reader = HidReader(
            self.keys.open,
            layout=table.layout,
            number=lambda typed: _typed(table, typed),
            keypad=keypad,
        )

    def type(self, text: str) -> list[Sighting]:
        self.keys.events += strokes(text, self.layout)
        return self.wait(100)

    def wait(self, ms: int) -> list[Sighting]:
        self.now += ms
        return list(self.reader.poll(self.now))


@pytest.mark.parametrize(
    ("told", "typed", "seen"),
    [
        ({}, "04A3C6CAE26180\n", Credential(UID, "04A3C6CAE26180")),
        ({"order": "last"}, "8061E2CAC6A304\n", Credential(UID, "04A3C6CAE26180")),
        ({"whole_uid": True}, "1E034A5B\n", Credential(UID, "1E034A5B")),
        ({}, "1E034A5B\n", Credential(NUMBER, "1E034A5B")),
        ({"types": "decimal", "whole_uid": True}, "0503532123\n", Credential(UID, "1E034A5B")),
        (
            {"types": "decimal", "whole_uid": True, "order": "last"},
            "1531577118\n",
            Credential(UID, "1E034A5B"),
        ),
        (
            {"types": "decimal", "uid_bytes": 7},
            "01305974109528448\n",
            Credential(UID, "04A3C6CAE26180"),
        ),
        ({"whole_uid": True}, "8804A3C6\n", Credential(NUMBER, "8804A3C6")),
    ],
)
def test_a_number_is_read_as_the_reader_prints_it(
    told: dict[str, object], typed: str, seen: Credential
) -> None:
    assert Desk(**told).type(typed) == [seen]


@pytest.mark.parametrize("layout", ["us", "de", "fr"])
def test_a_layout_decides_what_a_key_is(layout: str) -> None:
    assert Desk(layout=layout).type("04A3C6CAE26180\n") == [Credential(UID, "04A3C6CAE26180")]
    assert Desk(layout=layout, types="pins").type("12*471108#") == [Credential(PIN, "471108")]


def test_a_number_without_enter_ends_with_a_pause() -> None:
    desk = Desk(whole_uid=True)
    assert desk.type("1E034A5B") == []
    assert desk.wait(PAUSE_MS) == [Credential(UID, "1E034A5B")]
    assert desk.wait(PAUSE_MS) == []


@pytest.mark.parametrize("typed", ["1E034A5\n", "1E\n", "ABCDEF" * 9 + "\n"])
def test_what_is_no_number_is_misread_and_not_quoted(typed: str) -> None:
    (seen,) = Desk().type(typed)
    assert isinstance(seen, Misread)
    assert typed.strip() not in seen.why


def test_a_decimal_number_too_large_for_its_bytes_is_misread() -> None:
    (seen,) = Desk(types="decimal").type("4294967296\n")
    assert isinstance(seen, Misread)


@pytest.mark.parametrize("rest", ["32123\n", "\n", "32123"])
def test_what_is_left_of_a_number_is_nobodys(rest: str) -> None:
    """The kernel had no room for more: five digits of ten would be another badge's."""
    desk = Desk(types="decimal")
    desk.keys.events = [*strokes("05035"), LOST]
    seen = desk.type(rest) + desk.wait(PAUSE_MS)
    assert [type(one) for one in seen] == [Misread]
    assert desk.wait(PAUSE_MS) == []
    assert desk.type("0503532123\n") == [Credential(NUMBER, "1E034A5B")]


def test_what_was_typed_before_some_keys_were_lost_is_no_part_of_a_pin() -> None:
    desk = Desk(types="pins")
    desk.keys.events = [*strokes("47"), LOST]
    assert desk.type("471108#") == [Credential(PIN, "471108")]


def test_a_keypad_types_pins_and_codes() -> None:
    desk = Desk(types="pins")
    assert desk.type("471108\n12345678#") == [Credential(PIN, "471108"), Code("12345678")]


@given(st.binary(min_size=7, max_size=7), st.booleans())
def test_a_whole_number_survives_every_form(uid: bytes, reverse: bool) -> None:
    printed = uid[::-1] if reverse else uid
    how = {"reverse": reverse, "uid_bytes": 7}
    assert typed_number(printed.hex(), decimal=False, **how) == uid
    assert typed_number(str(int.from_bytes(printed, "big")), decimal=True, **how) == uid


def test_a_pulled_plug_says_so_and_comes_back_by_itself() -> None:
    desk = Desk(whole_uid=True)
    assert desk.type("1E0") == []
    desk.keys.plugged = False
    for _ in range(2):
        with pytest.raises(ReaderDownError, match="check its plug"):
            desk.wait(1)
    assert not desk.reader.health().ok
    assert desk.keys.closed == 1
    desk.keys.plugged = True
    desk.keys.events.clear()
    assert desk.reader.health().ok
    assert desk.type("1E034A5B\n") == [Credential(UID, "1E034A5B")]  # what was half typed is gone
    assert desk.keys.opened == 2


def test_a_key_held_down_is_typed_once() -> None:
    keyboard = Keyboard("us")
    assert [keyboard.character(2, value) for value in (1, 2, 2, 0)] == ["1", None, None, None]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A pipe in place of /dev/input/event0, and its other end."""
    path = tmp_path / "event0"
    os.mkfifo(path)
    other = os.open(path, os.O_RDWR)
    yield path, other
    os.close(other)


def test_the_kernels_events_are_read(node: tuple[Path, int]) -> None:
    path, other = node
    grabbed: list[int] = []
    device = InputDevice(path, grabbed.append)
    assert len(grabbed) == 1
    assert device.read() == []
    for kind, code, value in ((4, 4, 458_756), (EV_KEY, 2, 1), (0, 0, 0), (EV_KEY, 2, 0)):
        os.write(other, EVENT.pack(1, 2, kind, code, value))
    assert device.read() == [(2, 1), (2, 0)]
    for kind, code, value in ((EV_KEY, 2, 1), (EV_SYN, SYN_DROPPED, 0), (EV_KEY, 3, 0)):
        os.write(other, EVENT.pack(1, 2, kind, code, value))
    assert device.read() == [(2, 1), LOST, (3, 0)]
    device.close()


def test_a_device_that_somebody_else_has_is_let_go(node: tuple[Path, int]) -> None:
    path, _ = node

    def busy(fd: int) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    before = _open_files()
    with pytest.raises(OSError, match="busy"):
        InputDevice(path, busy)
    assert _open_files() == before


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_what_is_no_input_device_cannot_be_grabbed(node: tuple[Path, int]) -> None:
    with pytest.raises(OSError, match="ioctl"):
        InputDevice(node[0])
