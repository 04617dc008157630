"""``kokubus edge doctor`` and ``kokubus edge record``: what the running agent tells."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from kokubus.errors import KokubusError
from kokubus_edge.settings import Settings, read_settings

_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it
_DOCTOR = "look at every part of this door and say what to do"
_RECORD = "write what this device and its hub say to each other, credentials left out"


def add(commands: _Commands[argparse.ArgumentParser], config: Path) -> None:
    """Add the sub-commands of this module."""
    doctor = commands.add_parser("doctor", help=_DOCTOR, description=_DOCTOR)
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.add_argument(
        "--commissioning", action="store_true", help="walk through the checklist of a new door"
    )
    doctor.set_defaults(run=_doctor)
    record = commands.add_parser("record", help=_RECORD, description=_RECORD)
    record.add_argument("file", type=Path, help="JSON lines; - for the screen")
    record.add_argument("--seconds", type=float, default=3600.0, help="for so long (3600)")
    record.set_defaults(run=_record)
    for command in (doctor, record):
        command.add_argument("--config", type=Path, default=config, help=f"default: {config}")


def _doctor(given: argparse.Namespace) -> int:
    from kokubus_edge import doctor  # noqa: PLC0415 - `release` starts without it

    settings = read_settings(given.config)
    if given.commissioning:
        return _commission(settings)
    findings = doctor.examine(settings, status_of(settings))
    print(doctor.as_json(findings) if given.json else doctor.told(findings))
    return 0 if all(one.ok for one in findings) else 1


def _commission(settings: Settings) -> int:
    from kokubus_edge import commissioning  # noqa: PLC0415 - same

    return commissioning.walk(settings, lambda: status_of(settings), sys.stdin, sys.stdout)


def _record(given: argparse.Namespace) -> int:
    from kokubus_edge import desk_client  # noqa: PLC0415 - same

    settings = read_settings(given.config)
    file = sys.stdout if str(given.file) == "-" else given.file.open("x", encoding="utf-8")
    count = 0
    with file:
        for message in desk_client.messages(settings.data, given.seconds):
            file.write(json.dumps(message, ensure_ascii=False) + "\n")
            file.flush()
            count += 1
    print(f"{count} messages", file=sys.stderr)
    return 0


def status_of(settings: Settings) -> dict[str, Any]:
    """What the running agent says of itself; empty if it does not answer."""
    from kokubus_edge import desk_client  # noqa: PLC0415 - same

    try:
        return desk_client.status(settings.data)
    except KokubusError:
        return {}
