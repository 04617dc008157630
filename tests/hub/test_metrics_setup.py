"""`kokubus hub metrics init`: what InfluxDB 2 and 3 are asked; version 1 is asked for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.loopback import answering

from kokubus.errors import SettingsError
from kokubus_hub.cli import main
from kokubus_hub.metrics.setup import prepare
from kokubus_hub.settings import Settings

DAY_S = 86_400


@dataclass
class Server:
    """An InfluxDB of a version: buckets by name, and everything else it was asked."""

    version: str
    url: str = ""
    status: int = 200
    buckets: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> Any:
        if path.startswith("/api/v2/orgs"):
            return {"orgs": [{"id": "0" * 16, "name": "kokubus"}]}
        if method == "GET" and path.startswith("/api/v2/buckets"):
            (name,) = parse_qs(urlsplit(path).query)["name"]
            return {"buckets": [self.buckets[name]] if name in self.buckets else []}
        self.asked.append((method, path.split("?", maxsplit=1)[0], body))
        if path.startswith("/api/v2/buckets"):
            self.buckets[body["name"]] = body | {"id": body["name"]}
            return self.buckets[body["name"]]
        return {}


@contextmanager
def influxdb(version: str) -> Iterator[Server]:
    found = Server(version)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply("GET", None)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            self.reply("POST", json.loads(self.rfile.read(length)))

        def do_PATCH(self) -> None:
            self.reply("PATCH", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_PUT(self) -> None:
            self.reply("PUT", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, method: str, body: Any) -> None:
            ping = self.path == "/ping"
            answer = {} if ping else found.answer(method, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(200 if ping or method == "PUT" else found.status)
            self.send_header("X-Influxdb-Version", found.version)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    with answering(server):
        yield found


def settings(tmp_path: Path, server: Server, **values: Any) -> Settings:
    return Settings(data_dir=tmp_path, influx_url=server.url, **values)


def test_version_2_gets_two_buckets_and_the_second_time_their_retention(tmp_path: Path) -> None:
    with influxdb("v2.7.12") as server:
        said = prepare(settings(tmp_path, server))
        assert said == ["kokubus: points stay 90 days", "kokubus/long: points stay for ever"]
        prepare(settings(tmp_path, server, influx_keep_days=30))
    assert [(method, path) for method, path, _ in server.asked] == [
        ("POST", "/api/v2/buckets"),
        ("POST", "/api/v2/buckets"),
        ("PATCH", "/api/v2/buckets/kokubus"),
        ("PATCH", "/api/v2/buckets/kokubus%2Flong"),
    ]
    kept = {
        name: bucket["retentionRules"][0]["everySeconds"] for name, bucket in server.buckets.items()
    }
    assert kept == {"kokubus": 30 * DAY_S, "kokubus/long": 0}


def test_version_3_gets_two_databases(tmp_path: Path) -> None:
    with influxdb("3.2.0") as server:
        prepare(settings(tmp_path, server))
        server.status = 409
        prepare(settings(tmp_path, server, influx_keep_days=30))
    path = "/api/v3/configure/database"
    assert server.asked == [
        ("POST", path, {"db": "kokubus", "retention_period": "90d"}),
        ("POST", path, {"db": "kokubus/long"}),
        ("POST", path, {"db": "kokubus", "retention_period": "30d"}),
        ("PUT", path, {"db": "kokubus", "retention_period": "30d"}),
        ("POST", path, {"db": "kokubus/long"}),
    ]


def test_who_may_not_is_told_which_token(tmp_path: Path) -> None:
    with influxdb("v2.7.12") as server:
        server.status = 401
        with pytest.raises(SettingsError, match="KOKUBUS_HUB_INFLUX_TOKEN_FILE"):
            prepare(settings(tmp_path, server))


def test_a_server_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KOKUBUS_HUB_INFLUX_URL", "http://127.0.0.1:1")
    assert main(["--data-dir", str(tmp_path), "metrics", "init"]) == 2
    assert "no InfluxDB answers" in capsys.readouterr().err
