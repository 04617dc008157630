"""A site's file as the hub gives it to a device: numbered, and comparable however it is written.

The number is the file's first line, so that a file and its number are replaced at once::

    # number 1790000000000: given by the hub; change the site's file there and apply it
"""

from __future__ import annotations

import json
import re
from hashlib import sha256

from kokubus.site.part import part_of, tables_of
from kokubus.site.shapes import Site

_FIRST = re.compile(r"# number ([0-9]{1,16}): [^\n]*\n")
_LINE = "# number {}: given by the hub; change the site's file there and apply it\n{}"


def numbered(text: str, number: int) -> str:
    """A file with its number."""
    return _LINE.format(number, text)


def number_of(text: str) -> int:
    """The number of a file; 0 for one that somebody has written by hand."""
    found = _FIRST.match(text)
    return int(found.group(1)) if found else 0


def fingerprint(site: Site, device: str) -> str:
    """SHA-256 (hex) of what a device needs of its site, whatever the order and the comments."""
    tables = tables_of(part_of(site, device))
    return sha256(json.dumps(tables, sort_keys=True, default=str).encode()).hexdigest()
