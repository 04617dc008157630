"""``kokubus edge doctor --commissioning``: a new door, step by step, until nothing is left open.

What was done is kept in ``commissioning.json``, so that the five power cycles, after each of
which this is started again, find their place. What a step asks for is seen in what the agent
records: nobody ticks off a tap that did not arrive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO

from kokubus.site import Door
from kokubus_edge import boots, desk_client, doctor
from kokubus_edge.atomic import write_atomically
from kokubus_edge.settings import Settings

NAME = "commissioning.json"
POWER_CYCLES = 5
WAIT_S = 120.0
Says = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does, and how the agent's messages show that it was done."""

    name: str
    ask: str
    shown: Says


def steps(settings: Settings) -> list[Step]:
    """What can be tried at this device's doors, in the order in which one walks."""
    return [step for door in settings.doors for step in _of(door)]


def walk(
    settings: Settings,
    status: Callable[[], dict[str, Any]],
    answers: TextIO,
    out: TextIO,
    wait_s: float = WAIT_S,
) -> int:
    """Go on where it was left; 0 once everything is done, 1 if something is still open."""
    done = _done(settings)
    findings = doctor.examine(settings, status())
    out.write(doctor.told(findings) + "\n\n")
    if not all(one.ok for one in findings):
        out.write("Put right what is a problem, then start this again.\n")
        return 1
    for step in steps(settings):
        if step.name not in done and not _try(settings, step, done, out, wait_s):
            return 1
    return _power(settings, done, answers, out)


def _of(door: Door) -> Iterator[Step]:
    where = f"{door.name} ({door.id})"
    told = partial(_told, door.id)
    for reader in door.reader:
        side = str(reader.side)
        name = f"{door.id} tap {side}"
        ask = f"{where}: hold a badge to the reader ({side})."
        yield Step(name, ask, partial(told, "badge_tapped", side=side))
    if door.pins.contact is not None:
        yield Step(
            f"{door.id} open", f"{where}: open it.", partial(told, "contact_changed", open=True)
        )
        ask = f"{where}: close it."
        yield Step(f"{door.id} close", ask, partial(told, "contact_changed", open=False))
    if door.pins.exit is not None:
        ask = f"{where}: press the exit button."
        yield Step(f"{door.id} exit", ask, partial(told, "exit_requested"))
    if door.reader:
        ask = f"{where}: pull the network cable (or the SIM), then hold a badge to the reader."
        yield Step(f"{door.id} alone", ask, partial(told, "enforced", by="edge"))
        ask = f"{where}: plug the network in again, wait a minute, hold a badge to the reader."
        yield Step(f"{door.id} linked", ask, partial(told, "enforced", by="hub"))


def _told(door: str, kind: str, message: Mapping[str, Any], **fields: object) -> bool:
    """Whether this message says so; what is the default may be left out of it."""
    if (message.get("kind"), message.get("door")) != (kind, door):
        return False
    return all(message.get(name) == value for name, value in fields.items())


def _try(settings: Settings, step: Step, done: dict[str, Any], out: TextIO, wait_s: float) -> bool:
    out.write(f"-> {step.ask}\n")
    out.flush()
    for answer in desk_client.messages(settings.data, wait_s):
        if step.shown(answer["message"]):
            out.write("   seen\n")
            done[step.name] = True
            _keep(settings, done)
            return True
    out.write(f"   not seen within {wait_s:.0f} s: check wires and pins, then start this again.\n")
    return False


def _power(settings: Settings, done: dict[str, Any], answers: TextIO, out: TextIO) -> int:
    """Each cycle is a boot of its own in which the agent came to work, and nothing clicked."""
    first = done.setdefault("first_boot", boots.read(settings.data)[-1:])
    quiet = done.setdefault("quiet_boots", [])
    for boot in _since(settings, first):
        if boot["boot"] in quiet:
            continue
        out.write(f"-> This start took {boot['ready_ms'] / 1000:.0f} s. Did a lock click? [y/n] ")
        out.flush()
        if not answers.readline().strip().lower().startswith("n"):
            out.write("A lock must stay quiet while the power comes: config.txt, relay board.\n")
            return 1
        quiet.append(boot["boot"])
    _keep(settings, done)
    if len(quiet) < POWER_CYCLES:
        out.write(f"-> Power cycle {len(quiet) + 1} of {POWER_CYCLES}: pull the plug, wait ten ")
        out.write("seconds, plug it in, listen to the lock, and start this again.\n")
        return 1
    out.write("Commissioned: every step was seen, five power cycles passed.\n")
    return 0


def _since(settings: Settings, first: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The boots after the one in which the cycles began."""
    before = {one["boot"] for one in first}
    return [one for one in boots.read(settings.data) if one["boot"] not in before][-POWER_CYCLES:]


def _done(settings: Settings) -> dict[str, Any]:
    try:
        raw = json.loads((settings.data / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _keep(settings: Settings, done: Mapping[str, Any]) -> None:
    write_atomically(settings.data / NAME, json.dumps(done).encode())
