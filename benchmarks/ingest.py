"""Readings to durable and receipted, QoS 1, through a real broker, beside one fsync."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import rig
from benchmarks.flood import Flood
from benchmarks.network import Caller, generate
from benchmarks.rig import Metric, metric
from kokubus import wire
from kokubus.downlinks import Receipt
from kokubus.packets import Delivered
from kokubus_hub.keys import Keyring

WINDOW = 2_000
RECEIPTS = f"{wire.ROOT}/+/down/receipt"


def run(quick: bool) -> list[Metric]:
    """All metrics of the bench ``ingest``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = generate(folder, members=1_000, doors=50, bookings=20_000, now=_now())
        network.engine.dispose()
        callers = [Caller(network, door) for door in range(network.doors)]
        port = stack.enter_context(rig.broker(folder))
        stack.enter_context(rig.listener(folder, port))
        flood = Flood(port, RECEIPTS)
        _rate(flood, callers, network.keyring, 1_000, 1)
        single = _rate(flood, callers, network.keyring, 20_000 if quick else 60_000, 1)
        grouped = _rate(flood, callers, network.keyring, 5_000 if quick else 20_000, 10)
        flood.close()
        fsync = rig.fsync_ms(folder)
    return [
        metric("ingest", "fsync_p50_ms", fsync, "ms"),
        metric("ingest", "messages_per_s", single, "1/s", 12_000, most=False),
        metric("ingest", "readings_per_s", 10 * grouped, "1/s", 40_000, most=False),
    ]


def _rate(flood: Flood, callers: list[Caller], keyring: Keyring, count: int, each: int) -> float:
    """Messages a second until the hub's receipts have named every one of them."""
    made = [callers[i % len(callers)].readings(_now(), each) for i in range(count)]

    def named(came: list[Delivered]) -> int:
        return sum(_named(keyring, one.topic, one.payload) for one in came)

    return count / flood.run(made, WINDOW, named)


def _named(keyring: Keyring, topic: str, payload: bytes) -> int:
    device = topic.split("/")[2]
    down = wire.decode_down(payload, device=device, keys={keyring.kid: keyring.verifying})
    if not isinstance(down.message, Receipt) or down.message.rejected:
        raise ValueError(f"{device}: readings were not received: {down.message}")
    return sum(last - first + 1 for first, last in down.message.ranges)


def _now() -> int:
    return time.time_ns() // 1_000_000
