"""A server that takes what InfluxDB 2 takes at ``/api/v2/write``, and asks for the same token."""

from __future__ import annotations

import gzip
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class InfluxSink:
    """``lines`` are points in line protocol, by (organisation, bucket, authorization)."""

    def __init__(self, port: int) -> None:
        self.lines: dict[tuple[str, str, str], list[str]] = {}
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.sink = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    sink: InfluxSink


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        address = urlsplit(self.path)
        asked = parse_qs(address.query)
        if address.path != "/api/v2/write":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        key = (asked["org"][0], asked["bucket"][0], self.headers["Authorization"] or "")
        self.server.sink.lines.setdefault(key, []).extend(body.decode().splitlines())
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        """Say nothing."""
