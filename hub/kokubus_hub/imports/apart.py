"""Reads a calendar in a process of its own, which a hostile one may exhaust without harm.

The parser is a library's, the file is a stranger's: so many seconds and so much memory, and
what comes back is data. ``python -m kokubus_hub.imports.apart`` is that process.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from kokubus.messages import Instant
from kokubus_hub.imports import ics
from kokubus_hub.imports.problems import ImportFileError, Problem
from kokubus_hub.imports.slots import Calendar, Named, Slot

CPU_S = 20
WALL_S = 60
MEMORY = 1 << 30
_NEEDS = ("PATH", "PYTHONPATH", "LANG")
"""Of the environment; secrets are not among it."""


def read(name: str, content: bytes, zone: ZoneInfo, start: Instant, end: Instant) -> Calendar:
    """`ics.read`, apart; ImportFileError also for what takes too long or too much memory."""
    if len(content) > ics.SIZE_LIMIT:
        return ics.read(name, content, zone, start, end)  # which refuses it unread
    asked = json.dumps({"name": name, "zone": zone.key, "start": start, "end": end})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kokubus_hub.imports.apart"],
            env={name: os.environ[name] for name in _NEEDS if name in os.environ},
            input=asked.encode() + b"\n" + content,
            capture_output=True,
            timeout=WALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(name, "reading it takes too long; export less") from error
    if done.returncode != 0:
        raise _refused(name, "reading it takes too long or too much memory; export less")
    return _calendar(name, json.loads(done.stdout))


def _calendar(name: str, told: Any) -> Calendar:
    if "problems" in told:
        raise ImportFileError({name: [Problem(**one) for one in told["problems"]]})
    slots = [_slot(one) for one in told["slots"]]
    return Calendar(set(told["uids"]), slots, {(uid, named) for uid, named in told["off"]})


def _slot(one: Any) -> Slot:
    people = tuple(Named(**named) for named in one.pop("people"))
    return Slot(**one, people=people)


def _refused(name: str, text: str) -> ImportFileError:
    return ImportFileError({name: [Problem(0, text)]})


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(asked: Any, content: bytes) -> Any:
    name, zone = asked["name"], ZoneInfo(asked["zone"])
    try:
        found = ics.read(name, content, zone, asked["start"], asked["end"])
    except ImportFileError as error:
        return {"problems": [asdict(one) for one in error.problems[name]]}
    except RecursionError:
        return {"problems": [asdict(Problem(0, "it is nested too deeply"))]}
    slots = [asdict(one) for one in found.slots]
    return {"uids": sorted(found.uids), "slots": slots, "off": sorted(found.off)}


def main() -> None:
    """Answer what stands on standard input: a line of JSON, then the calendar."""
    _limit()
    gc.disable()  # looking for garbage costs a fifth of the time, and this process ends soon
    asked = json.loads(sys.stdin.buffer.readline())
    json.dump(_answer(asked, sys.stdin.buffer.read()), sys.stdout)


if __name__ == "__main__":
    main()
