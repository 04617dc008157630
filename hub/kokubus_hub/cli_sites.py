"""``kokubus hub apply``: sites from their TOML files; ``sign``: the sheets at their doors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from kokubus.messages import Instant
from kokubus.site import Site
from kokubus_hub import database
from kokubus_hub.cli_admin import Commands, opened
from kokubus_hub.devices.site_states import Reception, SiteState, states
from kokubus_hub.settings import Settings
from kokubus_hub.sites.apply import Applied, apply, read_sites
from kokubus_hub.sites.sign import printed, sign_of

_SIGN = "make the sheet for a site's doors: what the lights mean, phone and QR code"
_TEXT = "put the sites of a folder (*.toml) into the database"
_TAKES = {
    Reception.TAKES_IT: "takes it by itself, once nobody is at its doors",
    Reception.OFFLINE: "is offline: takes it by itself when it is back",
    Reception.UNHEARD: "has not connected yet: takes it by itself when it does",
    Reception.CURRENT: "is not concerned: nothing of its own has changed",
    Reception.NOT_ENROLLED: "is not enrolled: gets it when it is (kokubus hub device NAME code)",
    Reception.OLDER_RELEASE: "runs a release that takes none: update it, or copy the file to it",
    Reception.NOT_NAMED: "is named in it no more: it goes on with the file it has",
}
"""Devices that were revoked have nothing to do with it."""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-commands ``apply`` and ``sign``."""
    command = commands.add_parser("apply", help=_TEXT, description=_TEXT)
    command.add_argument("folder", type=Path, help="e.g. firmware_configs/sites")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(run=_apply)
    signing = commands.add_parser("sign", help=_SIGN, description=_SIGN)
    signing.add_argument("site", help="e.g. ettmannsweiler")
    signing.add_argument("--out", type=Path, help="default: <site>-sign.html")
    signing.set_defaults(run=_sign)


def _apply(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    sites = read_sites(given.folder)
    with opened(settings) as engine:
        planned = _planned(engine, sites, now)
        print("\n".join(planned.lines) or "nothing to change")
        if not planned.changed:
            return 0
        if not given.yes and not _agreed():
            print("nothing was changed")
            return 1
        with database.writing(engine) as connection:
            done = apply(connection, sites, now)
            known = states(connection)
    print(f"applied: {', '.join(done.sites)}")
    for site in done.files:
        _print_who_takes(site, known)
    return 0


def _print_who_takes(site: str, known: Sequence[SiteState]) -> None:
    """What becomes of a site's changed file, a line a device that has something to do with it."""
    there = [one for one in known if one.site == site and one.reception in _TAKES]
    if there:
        print(f"the file of {site} has changed; of its devices")
    for one in there:
        print(f"  {one.device} {_TAKES[one.reception]}")


def _sign(given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    with opened(settings) as engine, database.reading(engine) as connection:
        made = sign_of(connection, settings, given.site)
    out: Path = given.out or Path(f"{given.site}-sign.html")
    out.write_text(printed(made))
    print(f"{out}: open it in a browser and print it on A5")
    if made.qr is None:
        print("without QR code: set KOKUBUS_HUB_PUBLIC_URL to the address people reach the hub at")
    return 0


def _planned(engine: Engine, sites: Sequence[Site], now: Instant) -> Applied:
    # asked for the write lock at once: a transaction that begins by reading may not write later
    with database.writing(engine) as connection, connection.begin_nested() as trial:
        planned = apply(connection, sites, now)
        trial.rollback()
    return planned


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("not a terminal to ask at; --yes does it unasked", file=sys.stderr)
        return False
    return input("Apply this? [y/N] ").strip().lower() in ("y", "yes", "j", "ja")
