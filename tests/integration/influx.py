"""Debian's InfluxDB 1.6, with a shim for the one address of InfluxDB 2 that it lacks."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from tests.loopback import answering

from kokubus_cli.ports import free_port
from kokubus_hub.metrics import setup
from kokubus_hub.settings import Settings

PATIENCE_S = 60
_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{http}"
"""


@dataclass(frozen=True)
class Influx:
    """Where to write like to InfluxDB 2 (``url``), and to ask in InfluxQL."""

    url: str
    asking: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series of one InfluxQL query."""
        url = f"{self.asking}/query?{urlencode({'db': 'kokubus', 'q': query})}"
        (result,) = json.loads(fetch(url))["results"]
        assert "error" not in result, result
        series: list[dict[str, Any]] = result.get("series", [])
        return series


def fetch(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    """The answer's body, of a POST if there is a ``body``; an HTTP error raises."""
    method = "GET" if body is None else "POST"
    answer = httpx.request(method, url, content=body, headers=headers, timeout=PATIENCE_S)
    return answer.raise_for_status().content


@contextmanager
def running(command: list[str], ready: str) -> Iterator[None]:
    """A server, from its first answer at ``ready`` until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(ready):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not answer"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def influxdb(folder: Path) -> Iterator[Influx]:
    """A server with nothing in it but what `kokubus hub metrics init` makes."""
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(_CONFIG.format(folder=folder, http=port, rpc=free_port()))
    asking = f"http://127.0.0.1:{port}"
    with running(["influxd", "-config", str(config)], f"{asking}/ping"), _shim(asking) as url:
        setup.prepare(Settings(data_dir=folder, influx_url=asking, influx_keep_days=0))
        yield Influx(url, asking)


@contextmanager
def _shim(asking: str) -> Iterator[str]:
    class Shim(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            database, _, policy = asked["bucket"][0].partition("/")
            where = urlencode({"db": database, "rp": policy or "autogen", "precision": "n"})
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {"Content-Encoding": "gzip"}
            answer = httpx.post(
                f"{asking}/write?{where}", content=body, headers=headers, timeout=PATIENCE_S
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shim)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"


def _answers(url: str) -> bool:
    try:
        fetch(url)
    except httpx.TransportError:
        return False
    return True
