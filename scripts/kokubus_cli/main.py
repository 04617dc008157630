"""The command ``kokubus``: one word, then what that part of the house understands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

PARTS = {
    "edge": ("kokubus_edge.cli", "the agent at a door"),
    "hub": ("kokubus_hub.cli", "the hub"),
    "demo": ("kokubus_cli.demo.cli", "a simulated network to try it all"),
}
"""Each module has ``main(argv) -> int``; a device has no hub installed, nor a hub an edge."""


def main(argv: Sequence[str] | None = None) -> int:
    """Hand over to the part named first; 2 if there is none, 0 for ``--help``."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in PARTS:
        asked = words[:1] in (["--help"], ["-h"], ["help"])
        print(_usage(), file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    return _run(words[0], words[1:])


def _run(part: str, argv: Sequence[str]) -> int:
    try:
        module = import_module(PARTS[part][0])
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kokubus"):
            raise
        said = f"{error.name} is missing; install kokubus[{part}]"
        print(f"kokubus {part}: {said}", file=sys.stderr)
        return 2
    try:
        code: int = module.main(argv)
    except KeyboardInterrupt:
        return 130
    return code


def _usage() -> str:
    lines = [f"  kokubus {part:<5} {text}" for part, (_, text) in PARTS.items()]
    return "\n".join(["usage: kokubus PART ...", "", *lines, "", "kokubus PART --help says more."])
