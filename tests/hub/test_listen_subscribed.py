"""Whether the broker lets the listener listen: said once it has answered, and not before."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine

from kokubus_hub.broker import Broker
from kokubus_hub.buffered import BufferedSocket
from kokubus_hub.intake import Intake
from kokubus_hub.keys import Keyring
from kokubus_hub.listen import Listener

CONNACK = b"\x20\x03\0\0\0"


@pytest.mark.parametrize(
    ("code", "event"), [(b"\x01", "listening"), (b"\x87", "subscription_refused")]
)
def test_the_broker_answers(code: bytes, event: str, tmp_path: Any) -> None:
    keyring = Keyring.create(tmp_path / "keys")
    intake = Intake(create_engine("sqlite://"), keyring)
    listener = Listener(intake, Broker(host="127.0.0.1", port=1), now=lambda: 1)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - Python's own way
    client: Any = listener._client
    client._sock = BufferedSocket(ours)
    with ours, theirs, structlog.testing.capture_logs() as logs:
        theirs.send(CONNACK)
        client.take(9)
        assert logs == []
        theirs.send(b"\x90\x04\0\x01\0" + code)
        client.take(9)
    assert [log["event"] for log in logs] == [event]
