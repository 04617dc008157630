"""``kokubus hub ...``: what an administrator types on the hub."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError, ProgrammingError

from kokubus import logs
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import (
    cli_admin,
    cli_alarms,
    cli_calendars,
    cli_codes,
    cli_devices,
    cli_import,
    cli_rules,
    cli_sites,
    cli_work,
    health,
)
from kokubus_hub.settings import Settings, load

ROLES = {
    "serve": ("kokubus_hub.app", "run the web and the API"),
    "listen": ("kokubus_hub.listen", "run the listener: taps in, answers out"),
    "work": ("kokubus_hub.work", "run the worker: policies, metrics, alarms"),
    "run": ("kokubus_hub.run", "run all three under one supervisor"),
}
"""Each module has ``serve(settings)``, which returns when it was told to stop."""


def main(argv: Sequence[str]) -> int:
    """Run one sub-command; 2 and a sentence on stderr if it cannot be done."""
    given = _parser().parse_args(argv)
    logs.configure(sys.stderr)
    try:
        settings = load(os.environ, given.data_dir)
        code: int = given.run(given, settings, now())
    except (KokubusError, OSError) as error:
        print(f"kokubus hub: {error}", file=sys.stderr)
        return 2
    except (OperationalError, ProgrammingError) as error:
        said = f"the database cannot be used: {error.orig}; `kokubus hub migrate` makes its tables"
        print(f"kokubus hub: {said}", file=sys.stderr)
        return 2
    return code


class _Parser(argparse.ArgumentParser):
    """Understands ``device NAME WHAT`` as ``device WHAT NAME``."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        return super().parse_args(_device_first(args or ()), namespace)


def _device_first(argv: Sequence[str]) -> list[str]:
    """People name the device before the deed, argparse wants the deed."""
    words = list(argv)
    at = words.index("device") + 1 if "device" in words else len(words)
    if (
        len(words) > at + 1
        and words[at] not in cli_admin.DEEDS
        and words[at + 1] in cli_admin.DEEDS
    ):
        words[at], words[at + 1] = words[at + 1], words[at]
    return words


def now() -> Instant:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kokubus hub", description="the hub")
    parser.add_argument("--data-dir", type=Path, help="default: KOKUBUS_HUB_DATA_DIR")
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    for role, (_, text) in ROLES.items():
        command = commands.add_parser(role, help=text, description=text)
        command.set_defaults(run=_serve, role=role)
    text = "say whether a role that runs here is well; for health checks"
    healthy = commands.add_parser("healthy", help=text, description=text)
    healthy.add_argument("role", choices=[role for role in ROLES if role != "run"])
    healthy.set_defaults(run=_healthy)
    cli_admin.add(commands)
    cli_alarms.add(commands)
    cli_calendars.add(commands)
    cli_codes.add(commands)
    cli_import.add(commands)
    cli_rules.add(commands)
    cli_sites.add(commands)
    cli_work.add(commands)
    cli_devices.add(commands)
    return parser


def _serve(given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    # one role never loads what only another needs
    import_module(ROLES[given.role][0]).serve(settings)
    return 0


def _healthy(given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    return 0 if health.alive(settings, given.role) else 1
