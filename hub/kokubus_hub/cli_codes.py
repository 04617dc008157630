"""``kokubus hub code``: a one-time code for a door without network, to be read out by phone."""

from __future__ import annotations

import argparse
import getpass
import os

from kokubus.messages import Instant
from kokubus_hub import database
from kokubus_hub.cli_admin import Commands, opened
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-command ``code``."""
    text = "a one-time code for a door with a keypad; it needs neither network nor clock there"
    code = commands.add_parser("code", help=text, description=text)
    code.add_argument("door", help="as the live page names it, e.g. ettmannsweiler-front")
    code.add_argument("--reason", required=True, help="why; kept with your name")
    code.set_defaults(run=_code)


def _code(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    from kokubus_hub.doors.codes import Asked, read_out  # noqa: PLC0415 - no other command needs it

    asked = Asked(given.door, given.reason, f"{_user()} (command line)")
    with opened(settings) as engine, database.writing(engine) as connection:
        read = read_out(connection, Keyring.load(settings.keys_dir), asked, now)
    print(f"{read.code[:4]} {read.code[4:]}")
    print(f"to be typed at {read.door}, with # at the end; it opens once")
    return 0


def _user() -> str:
    """Whoever is at the keyboard, also through sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
