"""A real agent in a simulated house where more can be done than people do: for tests alone.

Run as ``python -m tests.acceptance.rig.lab run --config agent.toml`` it is ``kokubus edge``
with more requests understood at its control socket::

    {"do": "put", "door": "...", "uids": ["04..."], "side": "in", "damaged": false}
    {"do": "take", "door": "...", "side": "in"}
    {"do": "burst", "door": "...", "uids": ["04...", ...], "side": "in"}
    {"do": "pass", "hours": 3.0}

``put`` leaves cards in the field of the emulated chip until ``take``; a damaged one answers with
a check byte (BCC) that is wrong. ``burst`` are sightings of a `ScriptedReader`, one poll's worth.
``pass`` lets hours go by in a moment, where the agent began with a ``lab-hours.json``. How often
it gives a sign of life (`kokubus_edge.link.KEEPALIVE_S`) may stand in the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel
from tests.acceptance.rig.clock import KEEPALIVE, Hours, lab_clock

from kokubus.credential import Credential
from kokubus.messages import Side
from kokubus_edge import cli, link, readers, running
from kokubus_edge.emulator import Card
from kokubus_edge.reader import Mfrc522Reader, ScriptedReader
from kokubus_edge.simulate import control, site
from kokubus_edge.simulate.control import Reply
from kokubus_edge.simulate.site import Simulation

_SLACK_S = 90.0
"""How long a door may need for what it does about a tap, beyond its deadline."""


class _Cards(BaseModel):
    door: str
    uids: tuple[str, ...] = ()
    side: Side = Side.IN
    damaged: bool = False


class _Hours(BaseModel):
    hours: float


class _Damaged(Card):
    """A card whose last level's BCC (ISO/IEC 14443-3, 6.5.3.3) does not fit its UID."""

    def __init__(self, uid: str) -> None:
        super().__init__(uid)
        *whole, last = self.levels
        self.levels = [*whole, last[:4] + bytes((last[4] ^ 0x55,))]


class _Reader(Mfrc522Reader):
    """The chip, and a script beside it; both are polled by the agent's own reader thread."""

    made: list[_Reader] = []  # noqa: RUF012 - the readers of the one agent of this process

    def __init__(self, open_bus: object) -> None:
        super().__init__(open_bus)  # type: ignore[arg-type]  # handed on as it came
        self.script = ScriptedReader()
        self.made.append(self)

    def poll(self, now_ms: int) -> list[Credential]:
        return super().poll(now_ms) + self.script.poll(now_ms)


def _put(simulation: Simulation, asked: _Cards) -> Iterator[Reply]:
    with simulation.at(asked.door) as door:
        for uid in asked.uids:
            card = _Damaged(uid) if asked.damaged else Card(uid)
            simulation._field(door, asked.side).put(card)
    yield {"ok": True}


def _take(simulation: Simulation, asked: _Cards) -> Iterator[Reply]:
    with simulation.at(asked.door) as door:
        simulation._field(door, asked.side).clear()
        simulation.step_away()
    yield {"ok": True}


def _burst(simulation: Simulation, asked: _Cards) -> Iterator[Reply]:
    places = [(d.id, r.side) for d in simulation.settings.doors for r in d.reader]
    reader = _Reader.made[places.index((asked.door, asked.side))]
    for uid in asked.uids:
        reader.script.tap(uid)
    yield {"ok": True}


def _pass(simulation: Simulation, asked: _Hours) -> Iterator[Reply]:
    del simulation
    Hours.let_pass(asked.hours)
    yield {"ok": True}


def main(argv: Sequence[str]) -> int:
    """``kokubus edge``, in the lab."""
    deeds: dict[str, Any] = {
        "put": (_put, _Cards),
        "take": (_take, _Cards),
        "burst": (_burst, _Cards),
    }
    deeds |= {"pass": (_pass, _Hours)}
    with (
        patch.dict(control._DEEDS, deeds),
        patch.object(readers, "Mfrc522Reader", _Reader),
        patch.object(running, "DeviceClock", lab_clock),
        patch.object(site, "SLACK_S", _SLACK_S),
        patch.object(link, "KEEPALIVE_S", int(os.environ.get(KEEPALIVE, link.KEEPALIVE_S))),
    ):
        return cli.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
