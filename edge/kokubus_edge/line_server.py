"""A socket of JSON lines beside the agent, for commands typed on the same machine.

One request a line, one or more answers a line each; the socket is its owner's alone (0600).
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

LINE_LIMIT = 64 * 1024
Reply: TypeAlias = dict[str, Any]
Answers: TypeAlias = Callable[[bytes], Iterator[Reply]]


class LineServer:
    """Serves ``answers`` at ``path`` until `close`, which removes it; OSError if it cannot."""

    def __init__(self, path: Path, answers: Answers, *, name: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path = path
        self._server = _Listening(str(path), answers)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name=name, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving; what is being answered right now is left where it is."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._path.unlink(missing_ok=True)


class _Listening(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, answers: Answers) -> None:
        self.answers = answers
        super().__init__(path, _Handler)

    def server_bind(self) -> None:
        super().server_bind()
        Path(str(self.server_address)).chmod(0o600)  # before listen: nobody has connected yet


class _Handler(socketserver.StreamRequestHandler):
    server: _Listening

    def handle(self) -> None:
        while line := self.rfile.readline(LINE_LIMIT):
            try:
                for reply in self.server.answers(line):
                    self.wfile.write(json.dumps(reply).encode() + b"\n")
            except (BrokenPipeError, ConnectionResetError):
                return
