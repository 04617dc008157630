"""The register that says where each simulated door listens and which badges there are.

The demo writes ``doors.json`` into its run directory (``KOKUBUS_RUN``, else ``.demo``)::

    {"doors": {"<door>": "<control socket>"},
     "badges": {"<number>": {"uid": "04A1...", "holder": "Mitglied Ahorn"}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kokubus_edge.simulate.asking import ControlError

RUN_VARIABLE = "KOKUBUS_RUN"
RUN_DIR = ".demo"
REGISTER = "doors.json"


@dataclass(frozen=True, slots=True)
class KnownBadge:
    """A simulated badge and whose it is."""

    uid: str
    holder: str


@dataclass(frozen=True, slots=True)
class Register:
    """Sockets by door id, badges by the number printed on them."""

    doors: Mapping[str, Path] = field(default_factory=dict)
    badges: Mapping[str, KnownBadge] = field(default_factory=dict)

    def socket_of(self, door: str) -> Path:
        """Where the device of a door listens; ControlError names the doors there are."""
        if door not in self.doors:
            known = ", ".join(sorted(self.doors)) or "none"
            raise ControlError(f"{door}: no simulated door of that name; there are: {known}")
        return self.doors[door]

    def badge(self, text: str) -> KnownBadge:
        """By its number, its holder's name or its UID in hex; ControlError if it is none."""
        for number, badge in self.badges.items():
            if text.casefold() in {
                number.casefold(),
                badge.holder.casefold(),
                badge.uid.casefold(),
            }:
                return badge
        if len(text) in {8, 14, 20} and not set(text.upper()) - set("0123456789ABCDEF"):
            return KnownBadge(text.upper(), "somebody unknown")
        known = ", ".join(sorted(self.badges)) or "none"
        raise ControlError(f"{text}: neither a UID in hex nor one of the badges: {known}")


def run_dir(environ: Mapping[str, str]) -> Path:
    """Where the demo keeps what it needs while it runs."""
    return Path(environ.get(RUN_VARIABLE) or RUN_DIR)


def write_register(folder: Path, register: Register) -> None:
    """Make the register known; for its owner's eyes alone, since it holds badge numbers."""
    doors = {door: str(path) for door, path in register.doors.items()}
    badges = {n: {"uid": b.uid, "holder": b.holder} for n, b in register.badges.items()}
    path = folder / REGISTER
    path.touch(mode=0o600)
    path.write_text(json.dumps({"doors": doors, "badges": badges}, indent=1), "utf-8")


def read_register(folder: Path) -> Register:
    """The register of the demo that runs here; ControlError if none does."""
    path = folder / REGISTER
    try:
        raw = json.loads(path.read_text("utf-8"))
        doors = {door: Path(socket) for door, socket in raw["doors"].items()}
        badges = {n: KnownBadge(b["uid"], b["holder"]) for n, b in raw["badges"].items()}
    except FileNotFoundError as error:
        said = f"{path}: no demo runs here; start one with scripts/demo"
        raise ControlError(f"{said}, or name its directory in {RUN_VARIABLE}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ControlError(f"{path}: damaged; start the demo again") from error
    return Register(doors, badges)
