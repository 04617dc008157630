"""Calendars from files and from the web, no more of them than may be."""

from __future__ import annotations

from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.loopback import answering

from kokubus_hub.imports import fetch
from kokubus_hub.imports.problems import ImportFileError


class _Answer(BaseHTTPRequestHandler):
    """Serves ``/<number>`` as so many bytes, and redirects ``/to/<address>`` there."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        size = int(self.path.strip("/"))
        self.send_response(200 if size else 404)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def served() -> AbstractContextManager[str]:
    return answering(HTTPServer(("127.0.0.1", 0), _Answer))


def test_a_calendar_from_the_web_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "room.ics").write_bytes(b"content")
    assert fetch.load(str(tmp_path / "room.ics")) == b"content"
    with served() as url:
        assert fetch.load(f"{url}/10") == b"x" * 10
        assert fetch.load(f"{url}/to/{url}/10") == b"x" * 10


def test_no_more_is_loaded_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SIZE_LIMIT", 100)
    (tmp_path / "room.ics").write_bytes(b"x" * 1000)
    assert len(fetch.load(str(tmp_path / "room.ics"))) == 101
    with served() as url:
        assert len(fetch.load(f"{url}/1000")) == 101


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with served() as url:
        for place in (
            str(tmp_path / "nowhere.ics"),
            f"{url}/0",
            f"{url}/to/file:///etc/hostname",
            "http://127.0.0.1:1/",
            "http://[/",
        ):
            with pytest.raises(ImportFileError, match="cannot be read"):
                fetch.load(place)
