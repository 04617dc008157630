"""``kokubus edge ...``: what a technician types on a device, or at a simulated one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kokubus import logs
from kokubus.errors import HubAwayError, KokubusError
from kokubus_edge import cli_doctor, cli_enrol, cli_update, site_file
from kokubus_edge.settings import read_settings, site_and_data

CONFIG = Path("/var/lib/kokubus/agent.toml")
"""With identity, site and spool in one folder, the device's own: all that a card must keep."""


def main(argv: Sequence[str]) -> int:
    """Run one sub-command; 2 and a sentence on stderr if it cannot be done."""
    given = _parser().parse_args(argv)
    logs.configure(sys.stderr)
    try:
        code: int = given.run(given)
    except KokubusError as error:
        print(f"kokubus edge: {error}", file=sys.stderr)
        return cli_enrol.AGAIN if isinstance(error, HubAwayError) else 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kokubus edge", description="the agent at a door")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("run", _run, "run the agent of this device"),
        ("simulate", _simulate, "run it on pretended pins and readers: to try a site's file"),
        ("release", _release, "let every bolt go: for systemd, after the agent ended"),
        ("check", _check, "read the settings and say what is wrong with them"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", type=Path, default=CONFIG, help=f"default: {CONFIG}")
        command.set_defaults(run=run)
    for part in (cli_enrol, cli_doctor, cli_update):
        part.add(commands, CONFIG)
    _add_tap(commands)
    return parser


def _add_tap(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from kokubus_edge.simulate import tapping  # noqa: PLC0415 - a real door never needs it

    text = "hold a badge to a simulated door and say what the door did"
    command = commands.add_parser("tap", help=text, description=text)
    command.add_argument("door", help="as the live page names it, e.g. ettmannsweiler-front")
    command.add_argument("badge", help="number or UID of a badge")
    command.set_defaults(run=lambda given: tapping.tap(given.door, given.badge))


def _run(given: argparse.Namespace) -> int:
    from kokubus_edge.running import run  # noqa: PLC0415 - `release` must work without its needs

    site_file.begin(*site_and_data(given.config))
    run(read_settings(given.config))
    return 0


def _simulate(given: argparse.Namespace) -> int:
    from kokubus_edge.running import run  # noqa: PLC0415 - same

    os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
    run(replace(read_settings(given.config), simulated=True))
    return 0


def _release(given: argparse.Namespace) -> int:
    from kokubus_edge.hardware import release  # noqa: PLC0415 - the pins' library loads slowly
    from kokubus_edge.pin_factory import pin_factory  # noqa: PLC0415 - same

    settings = read_settings(given.config)
    release(settings.doors, pin_factory(settings, os.environ))
    return 0


def _check(given: argparse.Namespace) -> int:
    settings = read_settings(given.config)
    doors = ", ".join(door.id for door in settings.doors) or "no door"
    print(f"{given.config}: {settings.device} at {settings.site.name} drives {doors}")
    return 0
