"""What the demo says once it is up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kokubus_cli.demo.cast import DENIED, EMAIL, GRANTED
from kokubus_cli.demo.folder import Folder
from kokubus_hub.settings import Settings

COMMAND = ".venv/bin/kokubus"
DOOR, SITE, ROOM = "ettmannsweiler-front", "ettmannsweiler", "ettmannsweiler-hall"


def welcome(
    here: Folder, settings: Settings, link: str, took_s: float, *, prefix: str, speed: float
) -> str:
    """Where to look, what is simulated, and what to paste; ``prefix`` names the run directory."""
    tap = f"{prefix}{COMMAND} edge tap {DOOR}"
    demo = f"{prefix}{COMMAND} demo"
    return "\n".join(
        [
            "",
            f"KoKubus demo: five sites, up after {took_s:.1f} s. Everything here is SIMULATED:",
            *_simulated(speed),
            "",
            *_look(here, settings, link),
            "",
            "Paste into a second terminal, in this directory:",
            *_pair("a badge with a booking, and the door opens", f"{tap} {GRANTED}"),
            *_pair("a badge without one, and why it stays locked", f"{tap} {DENIED}"),
            *_pair("cut the site's network: the door goes on deciding", f"{demo} cut {SITE}"),
            f"      {tap} {GRANTED}",
            *_pair(
                "book meanwhile: not yet delivered, until you restore it",
                f"{demo} book {DENIED} {ROOM}",
            ),
            f"      {demo} restore {SITE}",
            "",
            "Ctrl-C ends it all.",
            "",
        ]
    )


def _simulated(speed: float) -> Sequence[str]:
    lines = [
        "  badges, reader chips, pins, people and air are made up; sites are open day and night.",
        "  Broker with TLS, hub, agents, driver of the reader and all rules are the real ones.",
    ]
    if speed != 1:
        lines += [
            f"  People and air run {speed:g} times too fast for the hub's real clock, so that",
            "  counts by CO2 lag behind.",
        ]
    return lines


def _look(here: Folder, settings: Settings, link: str) -> Sequence[str]:
    data, log = _near(here.hub), _near(here.log)
    host = f"http://{settings.listen_host}:{settings.listen_port}"
    return [
        f"  Live page        {host}/",
        f"  signed in        {link}",
        f"                   once, as {EMAIL}; another link:",
        f"                   {COMMAND} hub --data-dir {data} operator link {EMAIL}",
        f"  Logs             {log}",
    ]


def _pair(text: str, command: str) -> Sequence[str]:
    return [f"  # {text}", f"      {command}"]


def _near(path: Path) -> Path:
    """The path as it is best typed here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
