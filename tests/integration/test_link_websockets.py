"""The same MQTT through what looks like the web: for networks that let nothing else out."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from tests.broker import start_mosquitto

from kokubus_cli.ports import free_port
from kokubus_edge.link import Link, LinkUp
from kokubus_edge.link_line import Broker

pytestmark = pytest.mark.slow


def test_a_door_connects_by_websockets(tmp_path: Path) -> None:
    port = free_port()
    extra = f"listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true"
    with start_mosquitto(tmp_path, extra=extra):
        told: SimpleQueue[Any] = SimpleQueue()
        broker = Broker(
            device="dorf-1", host="127.0.0.1", port=port, tls=None, transport="websockets"
        )
        link = Link(broker, receive=lambda *_: None, tell=told.put, now=lambda: 1)
        link.start()
        try:
            assert isinstance(told.get(timeout=60), LinkUp)
            assert link.send("kokubus/v1/dorf-1/up/status", b"{}")
        finally:
            assert link.close(60)
