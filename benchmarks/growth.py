"""How a decision slows as the network grows: in process, tap to commit, both sizes in one run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random

from benchmarks.network import Caller, Network, generate
from benchmarks.rig import Metric, metric, percentile
from kokubus_hub.intake import Intake
from kokubus_hub.sorting import Letter

TAPS = 2_000
SMALL, LARGE = (1_000, 20_000), (50_000, 1_000_000)


def measure() -> Metric:
    """p50 with 50,000 members and 1,000,000 bookings, against 1,000 and 20,000."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        both = [_network(Path(small), *SMALL), _network(Path(large), *LARGE)]
        times = _taken_in_turn(both)
        for network in both:
            network.engine.dispose()
    ratio = percentile(times[1], 0.5) / percentile(times[0], 0.5)
    return metric("tap", "growth", ratio, "x", 1.5)


def _network(folder: Path, members: int, bookings: int) -> Network:
    return generate(folder, members=members, doors=50, bookings=bookings, now=_now())


def _taken_in_turn(networks: list[Network]) -> list[list[float]]:
    """One tap at each in turn, so that both see the same weather."""
    intakes = [Intake(network.engine, network.keyring) for network in networks]
    callers = [[Caller(network, door) for door in range(50)] for network in networks]
    times: list[list[float]] = [[] for _ in networks]
    noise = Random(3)
    for _ in range(TAPS):
        for index, network in enumerate(networks):
            member = noise.randrange(network.members)
            caller = callers[index][member % 50]
            _, topic, payload = caller.tap(network.uid(member), _now())
            began = time.perf_counter()
            intakes[index].take([Letter(topic, payload)], _now())
            times[index].append((time.perf_counter() - began) * 1e3)
    return times


def _now() -> int:
    return time.time_ns() // 1_000_000
