"""config.txt of a Raspberry Pi, read by its grammar.

Source: raspberrypi.com/documentation/computers/config_txt.html: a line is empty, a comment, a
``[filter]`` or ``key=value`` of at most 98 characters; ``gpio=PINS=SETTINGS`` takes pins and ranges
and any of ip, op, a0-a5, dl, dh, pu, pd, pn, of which later lines overrule earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LONGEST = 98
FILTERS = {"all", "none", "pi3", "pi4", "pi5", "pi02"}
SETTINGS = {"ip", "op", *(f"a{n}" for n in range(6)), "dl", "dh", "pu", "pd", "pn"}
KEYS = {"dtparam", "dtoverlay", "gpio"}
_LINE = re.compile(r"([a-z0-9_]+)=(\S+)")
_PINS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


class BootConfigError(ValueError):
    """A line the firmware would not take."""


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """(key, value) in order; what is included is read by itself."""
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("["):
            if text.strip("[]") not in FILTERS:
                raise BootConfigError(f"line {number}: no such filter: {text}")
            continue
        if text.startswith("include "):
            continue
        found = _LINE.fullmatch(text)
        if found is None or len(text) > LONGEST or found[1] not in KEYS:
            raise BootConfigError(f"line {number}: not understood: {text}")
        yield found[1], found[2]


def pins(path: Path) -> dict[int, set[str]]:
    """How each GPIO stands from power-on."""
    found: dict[int, set[str]] = {}
    for key, value in lines(path):
        if key != "gpio":
            continue
        named, _, settings = value.partition("=")
        words = set(settings.split(","))
        if not _PINS.fullmatch(named) or not words <= SETTINGS:
            raise BootConfigError(f"gpio={value}")
        for span in named.split(","):
            first, _, last = span.partition("-")
            for pin in range(int(first), int(last or first) + 1):
                found[pin] = words
    return found
