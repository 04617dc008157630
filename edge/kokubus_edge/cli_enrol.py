"""``kokubus edge enrol``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kokubus.errors import KokubusError

AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the unit tries again, which no other failure is worth."""
_TEXT = "give this device its identity by a code of `kokubus hub device NAME code`"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], config: Path) -> None:
    """Add the sub-command ``enrol``."""
    command = commands.add_parser("enrol", help=_TEXT, description=_TEXT)
    command.add_argument("--hub", metavar="URL", help="e.g. https://hub.example.org")
    command.add_argument("--code", metavar="XXXX-XXXX")
    command.add_argument(
        "--file", type=Path, help="take both from this file, e.g. of the boot partition"
    )
    command.add_argument("--config", type=Path, default=config, help=f"default: {config}")
    command.set_defaults(run=_enrol)


def _enrol(given: argparse.Namespace) -> int:
    from kokubus_edge import boot_file  # noqa: PLC0415 - `release` starts without it

    if given.file is None:
        if not given.hub or not given.code:
            raise KokubusError("enrol: say --hub URL and --code XXXX-XXXX, or --file FILE")
        print(_enrolled(given.config, given.hub, given.code))
        return 0
    try:
        wanted = boot_file.read_boot_file(given.file)
        sentence = _enrolled(given.config, wanted.hub, wanted.code)
    except KokubusError as error:
        boot_file.failed(given.file, str(error))
        raise
    boot_file.succeeded(given.file, sentence)
    print(sentence)
    return 0


def _enrolled(config: Path, hub: str, code: str) -> str:
    from kokubus_edge.asking_hub import HubWeb  # noqa: PLC0415 - same
    from kokubus_edge.enrolling import enrol  # noqa: PLC0415 - same

    return str(enrol(config, HubWeb(hub), code))
