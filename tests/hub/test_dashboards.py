"""Dashboards put into a Grafana, as far as its HTTP interface goes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kokubus_hub.cli import main
from kokubus_hub.dashboards import FOLDER, DashboardError, upload

SHIPPED = Path(__file__).parents[2] / "dashboards"


class Grafana:
    """What was asked of it: (method, path, body); one folder, ``status`` for dashboards."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.folders: list[dict[str, Any]] = []
        self.token: str | None = None
        self.status = 200

    def answer(self, method: str, path: str, body: Any) -> Any:
        self.asked.append((method, path, body))
        if path == "/api/folders" and method == "POST":
            self.folders.append({**body, "id": 7})
        if path == "/api/folders":
            return self.folders
        if path.startswith("/api/folders/"):
            return self.folders[0]
        return {"status": "success", "message": "no"}


@pytest.fixture
def grafana() -> Iterator[tuple[Grafana, str]]:
    found = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply("POST", body)

        def do_GET(self) -> None:
            self.reply("GET", None)

        def reply(self, method: str, body: Any) -> None:
            found.token = self.headers["Authorization"]
            content = json.dumps(found.answer(method, self.path, body)).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_shipped_is_uploaded_into_its_folder(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    assert upload(SHIPPED, url, "secret") == ["KoKubus: occupancy"]
    method, path, body = server.asked[-1]
    assert (method, path) == ("POST", "/api/dashboards/db")
    assert (body["folderId"], body["overwrite"]) == (7, True)
    assert (body["dashboard"]["uid"], body["dashboard"]["id"]) == ("kokubus-occupancy", None)
    assert server.token == "Bearer secret"


def test_the_folder_is_made_once(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    for _ in range(2):
        upload(SHIPPED, url, "secret")
    assert server.folders == [{**FOLDER, "id": 7}]


def test_grafanas_refusal_and_silence_are_said(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    server.status = 401
    with pytest.raises(DashboardError, match="Unauthorized"):
        upload(SHIPPED, url, "wrong")
    with pytest.raises(DashboardError, match="cannot be reached"):
        upload(SHIPPED, "http://127.0.0.1:1", "secret")
    with pytest.raises(DashboardError, match="write it as"):
        upload(SHIPPED, "grafana.example", "secret")


def test_a_folder_that_holds_no_dashboards(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="no dashboards there"):
        upload(tmp_path, "http://127.0.0.1:1", "secret")
    (tmp_path / "a.json").write_text("{]")
    with pytest.raises(DashboardError, match=r"a\.json"):
        upload(tmp_path, "http://127.0.0.1:1", "secret")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DashboardError, match="title and a uid"):
        upload(tmp_path, "http://127.0.0.1:1", "secret")


def test_on_the_command_line(
    grafana: tuple[Grafana, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, url = grafana
    token = tmp_path / "token"
    token.write_text("secret")
    words = ["dashboards", "upload", str(SHIPPED), "--grafana", url, "--token-file", str(token)]
    assert main(["--data-dir", str(tmp_path), *words]) == 0
    assert capsys.readouterr().out == "uploaded: KoKubus: occupancy\n"
    assert main(["--data-dir", str(tmp_path), "rebuild-metrics"]) == 2
