"""Where commands on the same machine ask the running agent: ``desk.sock`` in its data folder.

``{"do": "status"}`` is answered at once, ``{"do": "record"}`` with every message until the
asker goes away. Nothing here moves a bolt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from kokubus_edge.line_server import LineServer, Reply
from kokubus_edge.recording import Recorder

log = structlog.get_logger(__name__)

NAME = "desk.sock"


class Desk:
    """Serves a status and a recorder; an agent whose desk cannot be made goes on without."""

    def __init__(self, folder: Path, status: Callable[[], dict[str, Any]], rec: Recorder) -> None:
        self._status = status
        self._recorder = rec
        self._server: LineServer | None = None
        try:
            self._server = LineServer(folder / NAME, self._answers, name="desk")
        except OSError as error:
            log.warning("no_desk", why=str(error))

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()

    def _answers(self, line: bytes) -> Iterator[Reply]:
        try:
            asked = json.loads(line).get("do")
        except (ValueError, AttributeError, RecursionError):
            asked = None
        match asked:
            case "status":
                yield {"ok": True} | self._status()
            case "record":
                with self._recorder.listen() as messages:
                    yield {"ok": True}
                    yield from messages
            case _:
                yield {"ok": False, "error": "no such request; status or record"}
