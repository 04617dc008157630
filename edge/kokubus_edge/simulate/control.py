"""Where somebody outside the agent's process moves the simulated people: a socket of JSON lines.

`kokubus_edge.simulate.asking` asks here, as `kokubus_edge.line_server` says::

    {"do": "tap", "door": "...", "uid": "04...", "side": "in", "walk": true}
    {"do": "type", "door": "...", "keys": "471108#", "side": "in"}
    {"do": "exit" | "force", "door": "...", "seconds": 1.2}
    {"do": "readings", "values": {"<sensor>": 612.0}}
    {"do": "state"}

An answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": "a sentence"}``. A tap is answered
as soon as the door has, while its person goes on and walks through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kokubus.errors import KokubusError
from kokubus.messages import Side
from kokubus_edge.line_server import LineServer, Reply
from kokubus_edge.simulate.site import WALK_S, Simulation


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Tap(_Request):
    door: str
    uid: str
    side: Side = Side.IN
    walk: bool = True


class _Type(_Request):
    door: str
    keys: str = Field(min_length=1, max_length=64)
    side: Side = Side.IN


class _Open(_Request):
    door: str
    seconds: float = Field(default=WALK_S, ge=0, le=3600)


class _Readings(_Request):
    values: Mapping[str, float]


class _State(_Request):
    pass


class Control(LineServer):
    """Serves `Simulation` at a socket; people who walk as it closes are left where they are."""

    def __init__(self, simulation: Simulation, path: Path) -> None:
        super().__init__(path, partial(_answers, simulation), name="control")


def _answers(simulation: Simulation, line: bytes) -> Iterator[Reply]:
    """One reply; what a person does after it follows when the next is asked for."""
    try:
        request = json.loads(line)
        do, shape = _DEEDS[request.pop("do")]
        yield from do(simulation, shape.model_validate(request))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield {"ok": False, "error": f"no such request; one of {', '.join(_DEEDS)}: {_why(error)}"}
    except KokubusError as error:
        yield {"ok": False, "error": str(error)}


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return type(error).__name__  # its text might quote a badge's number


def _tap(simulation: Simulation, asked: _Tap) -> Iterator[Reply]:
    with simulation.at(asked.door) as door:
        answer = simulation.tap(door, asked.uid, asked.side)
        site = simulation.settings.site
        told = {"name": door.name, "site": site.name, "help": site.help_phone}
        yield {"ok": True} | asdict(answer) | told
        if answer.opened and asked.walk:
            simulation.walk_through(door)
        else:
            simulation.step_away()


def _type(simulation: Simulation, asked: _Type) -> Iterator[Reply]:
    with simulation.at(asked.door) as door:
        simulation.type(door, asked.keys, asked.side)
    yield {"ok": True}


def _exit(simulation: Simulation, asked: _Open) -> Iterator[Reply]:
    with simulation.at(asked.door) as door:
        simulation.leave(door, asked.seconds)
    yield {"ok": True}


def _force(simulation: Simulation, asked: _Open) -> Iterator[Reply]:
    with simulation.at(asked.door) as door:
        simulation.force(door, asked.seconds)
    yield {"ok": True}


def _readings(simulation: Simulation, asked: _Readings) -> Iterator[Reply]:
    for sensor, value in asked.values.items():
        simulation.set_reading(sensor, value)
    yield {"ok": True}


def _state(simulation: Simulation, asked: _State) -> Iterator[Reply]:
    del asked
    yield {"ok": True} | simulation.state()


_DEEDS: Mapping[str, tuple[Callable[[Simulation, Any], Iterator[Reply]], type[_Request]]] = {
    "tap": (_tap, _Tap),
    "type": (_type, _Type),
    "exit": (_exit, _Open),
    "force": (_force, _Open),
    "readings": (_readings, _Readings),
    "state": (_state, _State),
}
