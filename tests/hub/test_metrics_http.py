"""The projection over HTTP: rebuilt, refused for a while, caught up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.hub import facts
from tests.hub.policy_world import NOW, World, world
from tests.loopback import answering

from kokubus.errors import SettingsError
from kokubus_hub.metrics import projector as metrics
from kokubus_hub.settings import Settings

PATIENCE_S = 60


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@dataclass
class Influx:
    """An HTTP server that takes points like InfluxDB 2, or refuses them."""

    url: str
    lines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    status: int = 204


@contextmanager
def influx() -> Iterator[Influx]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.asked.append(f"{self.path} {self.headers['Authorization']}")
            if found.status == 204:
                found.lines += decompress(body).decode().splitlines()
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Influx(f"http://127.0.0.1:{server.server_port}")
    with answering(server):
        yield found


def settings(tmp_path: Path, url: str) -> Settings:
    token = tmp_path / "token"
    token.write_text("secret\n")
    return Settings(data_dir=tmp_path, influx_url=url, influx_token_file=token)


def test_rebuilding_writes_everything_again_over_http(hub: World, tmp_path: Path) -> None:
    facts.tap(hub)
    facts.passage(hub)
    with influx() as server:
        asked = settings(tmp_path, server.url)
        for _ in range(2):
            assert metrics.rebuild(hub.engine, asked, NOW) == 2
        assert (len(server.lines), len(set(server.lines))) == (4, 2)
        path, token = server.asked[0].split(" ", 1)
        assert path == "/api/v2/write?org=kokubus&bucket=kokubus&precision=ns"
        assert token == "Token secret"


def test_rebuilding_without_an_influxdb_says_which_setting(hub: World, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KOKUBUS_HUB_INFLUX_URL"):
        metrics.rebuild(hub.engine, Settings(data_dir=tmp_path), NOW)


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_an_outage_is_said_once_and_caught_up(
    hub: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "PERIOD_S", 0.01)
    monkeypatch.setattr(metrics, "LONGEST_S", 0.02)
    facts.tap(hub)
    with influx() as server, capture_logs() as logs:
        server.status = 503
        with metrics.projecting(hub.engine, settings(tmp_path, server.url), lambda: NOW):
            wait(lambda: len(server.asked) >= 5)
            server.status = 204
            wait(lambda: server.lines)
            facts.tap(hub)
            wait(lambda: len(server.lines) == 2)
    said = [entry["event"] for entry in logs]
    assert said == ["metrics_waiting", "metrics_catching_up"]
