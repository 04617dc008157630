"""The agent's last log lines, in memory, and how lines are made fit to leave the device."""

from __future__ import annotations

import re
from collections import deque
from threading import Lock
from typing import TextIO

KEPT = 500
_SECRET = re.compile(
    r"-----BEGIN.*?-----END[^-]*-----"
    r"|\b(?:[0-9A-Fa-f]{2}[ :]?){3,9}[0-9A-Fa-f]{2}\b(?!-)"
    r"|\b[A-Za-z0-9_-]{22,}={0,2}",
    re.DOTALL,
)
"""Keys and certificates; what could be a badge's number; what could be a key or its lookup."""
_ID = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z][a-z_]+|[a-z0-9-]*[g-z][a-z0-9-]*"
)
"""Ids of facts and boots, and names, are no secrets."""


class Recent:
    """A stream that keeps the last lines and passes everything on."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lines: deque[str] = deque(maxlen=kept)
        self._lock = Lock()

    def behind(self, stream: TextIO) -> TextIO:
        """``stream``, whose lines are kept as well."""
        return _Tee(stream, self)  # type: ignore[return-value]  # what structlog uses of a stream

    def add(self, text: str) -> None:
        """Text that was written."""
        with self._lock:
            self._lines.extend(line for line in text.splitlines() if line)

    def lines(self) -> list[str]:
        """Oldest first."""
        with self._lock:
            return list(self._lines)


class _Tee:
    def __init__(self, stream: TextIO, recent: Recent) -> None:
        self._stream = stream
        self._recent = recent

    def write(self, text: str) -> int:
        self._recent.add(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


RECENT = Recent()


def masked(text: str) -> str:
    """The text without what could be a secret or a badge's number."""
    return _SECRET.sub(_mask, text)


def _mask(found: re.Match[str]) -> str:
    return found[0] if _ID.fullmatch(found[0]) else "(masked)"
