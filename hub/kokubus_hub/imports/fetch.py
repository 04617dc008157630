"""A calendar's bytes from a file or from the web."""

from __future__ import annotations

import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kokubus_hub.imports.ics import SIZE_LIMIT
from kokubus_hub.imports.problems import ImportFileError, Problem

TIMEOUT_S = 10.0
TOTAL_S = 30.0
_CHUNK = 64 * 1024


def load(place: str) -> bytes:
    """The content at a path or an http(s) address; at most one byte over `ics.SIZE_LIMIT`.

    ``ImportFileError`` if it cannot be had within 30 s.
    """
    try:
        if urlsplit(place).scheme in ("http", "https"):
            return _download(place)
        with Path(place).open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise ImportFileError({place: [Problem(0, f"cannot be read: {error}")]}) from error


def _download(url: str) -> bytes:
    until = time.monotonic() + TOTAL_S
    content = b""
    with _opener().open(url, timeout=TIMEOUT_S) as response:
        while len(content) <= SIZE_LIMIT and (chunk := response.read1(_CHUNK)):
            content += chunk
            if time.monotonic() > until:
                raise TimeoutError(f"not complete after {TOTAL_S:.0f} s")
    return content[: SIZE_LIMIT + 1]


def _opener() -> urllib.request.OpenerDirector:
    """One that speaks http and https only, whatever an address redirects to."""
    opener = urllib.request.OpenerDirector()
    handlers: tuple[Any, ...] = (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    )
    for handler in handlers:
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", "kokubus"), ("Accept", "text/calendar")]
    return opener
