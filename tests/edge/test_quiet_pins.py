"""No relay clicks when lgpio claims its pin."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.edge.rig import dorf
from tests.edge.simulated_device import settings

from kokubus_edge.hardware import release
from kokubus_edge.pin_factory import VARIABLE, pin_factory


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    """A stand-in for the lgpio package: every claim and write is noted, GPIO 17 is an output."""
    calls: list[tuple[Any, ...]] = []
    outputs: set[int] = set()

    def claim_output(_handle: int, gpio: int, level: int = 0) -> None:
        outputs.add(gpio)
        calls.append(("output", gpio, level))

    def claim_input(_handle: int, gpio: int, _flags: int) -> None:
        outputs.discard(gpio)
        calls.append(("input", gpio))

    fake = ModuleType("lgpio")
    vars(fake).update(
        SET_PULL_NONE=0,
        BOTH_EDGES=3,
        RISING_EDGE=1,
        FALLING_EDGE=2,
        gpiochip_open=lambda _chip: 0,
        gpiochip_close=lambda _handle: None,
        gpio_claim_output=claim_output,
        gpio_claim_input=claim_input,
        gpio_get_mode=lambda _handle, gpio: 2 if gpio in outputs else 0,
        gpio_write=lambda _handle, gpio, level: calls.append(("write", gpio, int(level))),
        gpio_read=lambda *_: 0,
    )
    monkeypatch.setitem(sys.modules, "lgpio", fake)
    for name in ("gpiozero.pins.lgpio", "kokubus_edge.quiet_pins"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: 0xA02082)
    yield calls
    for name in ("gpiozero.pins.lgpio", "kokubus_edge.quiet_pins"):
        sys.modules.pop(name, None)


def test_on_a_real_pi_an_active_low_relay_is_never_low_at_start_nor_left_floating(
    lgpio: list[tuple[Any, ...]],
) -> None:
    from kokubus_edge.quiet_pins import quiet_lgpio_factory  # noqa: PLC0415 - needs the stand-in

    factory = quiet_lgpio_factory()
    release(dorf().doors[1:], factory)
    assert lgpio == [("input", 23), ("output", 23, 1)]
    factory.close()


@pytest.mark.usefixtures("lgpio")
@pytest.mark.parametrize("writable", [True, False])
def test_started_where_nothing_can_be_written_it_gives_lgpio_a_folder_for_its_pipe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writable: bool
) -> None:
    """As systemd does it, and ``sudo -u kokubus kokubus edge release`` in somebody's home."""
    monkeypatch.setenv("LG_WD", "")
    monkeypatch.delenv("LG_WD")
    monkeypatch.setattr(os, "access", lambda *_: writable)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pin_factory(settings(tmp_path, simulated=False), {VARIABLE: "lgpio"}).close()
    folder = os.environ.get("LG_WD")
    assert (folder is None) is writable
    assert folder is None or Path(folder).parent == tmp_path
