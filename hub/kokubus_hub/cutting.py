"""Ending a revoked device's live connection.

A broker looks at certificates when a connection begins, so one that is open outlives the
revocation of its device. Whoever connects with the same client id throws it out, and only the
hub's listener lets us choose ours. The device comes back until the broker has read its
revocation list again; then the name stays ours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from kokubus.errors import KokubusError
from kokubus_hub.broker import Broker, no_delay

QUIET_S = 5.0
"""The broker's launcher looks at the list every second (firmware_configs/mosquitto/run)."""
PATIENCE_S = 60.0
REPLACING_S = (2.0, 3.0)
"""The second time for a broker that took longer to read its list; together below 10 s."""


class CutError(KokubusError):
    """A device may still be connected; the sentence says what to do."""


def cut(
    broker: Broker, device: str, *, quiet_s: float = QUIET_S, patience_s: float = PATIENCE_S
) -> None:
    """Throw out a device that is on the revocation list, until it stays out for ``quiet_s``.

    Raises `CutError` if the broker cannot be reached, or lets the device in for ``patience_s``.
    """
    end = time.monotonic() + patience_s
    while not _stays_out(broker, device, quiet_s):
        if time.monotonic() > end:
            raise CutError(
                f"{device} comes back: the broker at {_where(broker)} does not read its "
                "revocation list; restart it"
            )


def replace(broker: Broker, device: str, *, pauses_s: Sequence[float] = REPLACING_S) -> None:
    """Throw out whoever is connected as ``device``, after each pause.

    For a device whose certificate was replaced: the old one is refused as soon as the broker
    has read its list, the new one is thrown out with it at most ``len(pauses_s)`` times and
    comes back. Raises `CutError` if the broker cannot be reached.
    """
    for pause in pauses_s:
        time.sleep(pause)
        _stays_out(broker, device, 0.0)


def _stays_out(broker: Broker, device: str, quiet_s: float) -> bool:
    """Take the device's client id; whether nobody took it back."""
    said: SimpleQueue[str] = SimpleQueue()
    client = _client(broker, device, said)
    try:
        client.connect(broker.host, broker.port)
    except OSError as error:
        raise CutError(
            f"the broker at {_where(broker)} cannot be reached ({error}), so {device} may still "
            "be connected; restart the broker"
        ) from error
    client.loop_start()
    try:
        return _held(said, broker, quiet_s)
    finally:
        client.disconnect()
        client.loop_stop()


def _held(said: SimpleQueue[str], broker: Broker, quiet_s: float) -> bool:
    try:
        if (answer := said.get(timeout=PATIENCE_S)) != "Success":
            raise CutError(f"the broker at {_where(broker)} refuses the hub ({answer})")
        said.get(timeout=quiet_s or None, block=quiet_s > 0)
    except Empty:
        return True
    return False


def _client(broker: Broker, device: str, said: SimpleQueue[str]) -> Client:
    def connected(_client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        said.put(str(code))

    client = Client(
        CallbackAPIVersion.VERSION2,
        device,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    context = broker.context()
    if context is not None:
        client.tls_set_context(context)
    client.on_socket_open = no_delay
    client.on_connect = connected
    client.on_disconnect = lambda *_: said.put("lost")
    return client


def _where(broker: Broker) -> str:
    return f"{broker.host}:{broker.port}"
