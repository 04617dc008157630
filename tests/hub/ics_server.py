"""A calendar's server on the loopback that answers as it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.loopback import answering


@dataclass
class Says:
    """What is answered next: with an ETag of the content, if ``etag``; late, cut short ..."""

    content: bytes = b""
    status: int = 200
    etag: bool = True
    location: str = ""
    missing: int = 0
    wait_s: float = 0.0
    endless: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://localhost:{self.port}/room.ics?secret=hunter2"


@contextmanager
def serving() -> Iterator[Says]:
    says = Says()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            says.asked.append(dict(self.headers.items()))
            time.sleep(says.wait_s)
            with suppress(OSError):
                self._answer()

        def _answer(self) -> None:
            tag = f'"{hash(says.content)}"'
            same = says.etag and self.headers.get("If-None-Match") == tag
            self.send_response(304 if same else says.status)
            if says.location:
                self.send_header("Location", says.location)
            if says.etag:
                self.send_header("ETag", tag)
            if not says.endless:
                self.send_header("Content-Length", str(0 if same else len(says.content)))
            self.end_headers()
            while says.endless:
                self.wfile.write(b"X" * 65_536)
            if not same:
                self.wfile.write(says.content[: len(says.content) - says.missing])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    says.port = server.server_port
    with answering(server):
        try:
            yield says
        finally:
            says.endless = False
