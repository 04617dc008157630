"""Tap to durable, signed answer, beside an echo, a prototype and one fsync of the same run.

Plain TCP on loopback; taps at QoS 1, answers at QoS 0 as everywhere (docs/decisions/0009), the
echo at QoS 1 both ways; the whole rule, event recorded; every grant is
followed by what a door says of it (``enforced``, ``passage_seen``), so that presence and
belief are recorded too. Every answer's signature and verdict are checked, after the clock.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks import _prototype, growth, rig
from benchmarks.flood import Flood
from benchmarks.network import Caller, Network, generate
from benchmarks.rig import Metric, Peer, metric, percentile
from kokubus import wire
from kokubus.downlinks import AccessDecided
from kokubus.ids import uuid7
from kokubus.messages import By, Enforced, Fact, PassageSeen, Side
from kokubus.packets import Delivered

IN_FLIGHT = 64
PER_S = 4_000
LEAST = round(PER_S / _prototype.PER_S, 2)
"""The bar as a share of what the least loop does, both on the machine it was set on."""
DECIDED = f"{wire.ROOT}/+/down/access_decided"


@dataclass(frozen=True, slots=True)
class Asked:
    """A tap that was sent, and the verdict it must get."""

    caller: Caller
    granted: bool


class Crowd:
    """Members at doors: two of three where they have booked, the rest anywhere."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._noise = Random(7)
        self.callers = [Caller(network, door) for door in range(network.doors)]
        self.asked: dict[str, Asked] = {}
        self.wrong = self.unrecorded = 0

    def tap(self) -> tuple[str, str, bytes]:
        """(tap id, topic, payload) of the next tap."""
        member = self._noise.randrange(self._network.members)
        away = self._noise.random() < 1 / 3
        door = self._noise.randrange(self._network.doors) if away else member % self._network.doors
        tap, topic, payload = self.callers[door].tap(self._network.uid(member), _now())
        self.asked[tap] = Asked(self.callers[door], self._network.expects(member, door))
        return tap, topic, payload

    def check(self, topic: str, payload: bytes) -> AccessDecided:
        """Verify an answer; counts it as wrong unless it is what the tap must get.

        Where a lock outlasts the hub's patience it says so, and the door asks its own policy.
        """
        device = topic.split("/")[2]
        keyring = self._network.keyring
        down = wire.decode_down(payload, device=device, keys={keyring.kid: keyring.verifying})
        answer = down.message
        if not isinstance(answer, AccessDecided):
            raise TypeError(f"a {answer.kind} on the topic of answers")
        asked = self.asked.get(answer.tap)
        if answer.recorded:
            self.wrong += asked is None or asked.granted != answer.granted
        else:
            self.unrecorded += 1
            self.wrong += answer.granted
        return answer

    def followed(self, answer: AccessDecided) -> list[tuple[str, bytes]]:
        """What the door says after an answer: it did so, and somebody went in."""
        caller, at = self.asked[answer.tap].caller, _now()
        facts: list[Fact] = [
            Enforced(
                id=uuid7(at, bytes(9) + b"e"),
                at=at,
                tap=answer.tap,
                door=caller.door,
                by=By.HUB,
                granted=answer.granted,
                reason=answer.reason,
            )
        ]
        if answer.granted:
            facts.append(
                PassageSeen(
                    id=uuid7(at, bytes(9) + b"p"),
                    at=at,
                    door=caller.door,
                    side=Side.IN,
                    tap=answer.tap,
                )
            )
        return [
            (wire.up_topic(caller.device, fact.kind), wire.encode_up(fact, caller.stamp()))
            for fact in facts
        ]


def run(quick: bool) -> list[Metric]:
    """All metrics of the bench ``tap``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = generate(folder, members=1_000, doors=50, bookings=20_000, now=_now())
        network.engine.dispose()
        port = stack.enter_context(rig.broker(folder))
        echo_ms, echo_rate = _echo(folder, port, 400 if quick else 2_000)
        prototype = _prototyped(folder, port, network, 3_000 if quick else 20_000)
        process = stack.enter_context(rig.listener(folder, port))
        crowd = Crowd(network)
        rate = _in_flight(port, crowd, 3_000 if quick else 20_000)
        peer = Peer(port, DECIDED)
        _one_by_one(peer, crowd, 100)
        times = _one_by_one(peer, crowd, 400 if quick else 3_000)
        followed = _followed(peer, crowd, 1_500 if quick else 8_000)
        busy = _busy(folder, port, peer, crowd, 5_000 if quick else 100_000)
        peer.close()
        fsync = rig.fsync_ms(folder)
        memory = rig.rss_mb(process.pid)
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    return [
        metric("tap", "echo_p50_ms", echo_ms, "ms"),
        metric("tap", "fsync_p50_ms", fsync, "ms"),
        metric("tap", "p50_ms", p50, "ms"),
        metric("tap", "p99_ms", p99, "ms"),
        metric("tap", "p50_vs_echo", p50 / echo_ms, "x", 8),
        metric("tap", "p50_vs_fsync", p50 / fsync, "x"),
        metric("tap", "p99_vs_p50", p99 / p50, "x", 3),
        metric("tap", "p99_busy_ms", percentile(busy, 0.99), "ms", 400),
        metric("tap", "decisions_per_s", rate, "1/s", PER_S, most=False),
        metric("tap", "vs_echo_throughput", rate / echo_rate, "x"),
        metric("tap", "prototype_per_s", prototype, "1/s"),
        metric("tap", "decisions_vs_prototype", rate / prototype, "x", LEAST, most=False),
        metric("tap", "decisions_per_s_with_door_facts", followed, "1/s"),
        metric("tap", "wrong_answers", crowd.wrong, "", 0),
        metric("tap", "unrecorded_answers", crowd.unrecorded, ""),
        metric("tap", "listener_mb", memory, "MiB"),
        *([] if quick else [growth.measure()]),
    ]


def _echo(folder: Path, port: int, count: int) -> tuple[float, float]:
    """(p50 of one echo in ms, echoes a second with 64 in flight)."""
    with rig.echoing(folder, port):
        peer = Peer(port, "echo/from")
        times = []
        for _ in range(count + 50):
            began = time.perf_counter()
            peer.send("echo/to", bytes(450))
            peer.pump(lambda: bool(peer.received))
            times.append((time.perf_counter() - began) * 1e3)
            peer.received.clear()
        peer.close()
        rate = _flooded(port, "echo/from", [("echo/to", bytes(450))] * (count * 4), [])
    return percentile(times[50:], 0.5), rate


def _prototyped(folder: Path, port: int, network: Network, count: int) -> float:
    """Decisions a second of the least loop, on as many members, doors and bookings."""
    path, size = folder / "prototype.db", (network.members, network.doors)
    _prototype.furnish(path, *size, network.bookings)
    with rig.prototype(folder, port, path):
        return _flooded(port, _prototype.ANSWERED, _prototype.taps(count, *size), [])


def _one_by_one(peer: Peer, crowd: Crowd, count: int) -> list[float]:
    """The time of each tap in ms; what the door says afterwards is sent outside the clock."""
    times = []
    for _ in range(count):
        _, topic, payload = crowd.tap()
        began = time.perf_counter()
        peer.send(topic, payload)
        peer.pump(lambda: bool(peer.received))
        times.append((time.perf_counter() - began) * 1e3)
        message = peer.received.pop()
        for said in crowd.followed(crowd.check(message.topic, bytes(message.payload))):
            peer.send(*said)
        time.sleep(0.004)
    return times


def _busy(folder: Path, port: int, peer: Peer, crowd: Crowd, rows: int) -> list[float]:
    """The time of each tap in ms while policies are rebuilt and so many rows are imported."""
    table = folder / "members.csv"
    lines = (f"Mitglied {row};mitglied{row}@example.org" for row in range(rows))
    table.write_text("\n".join(["Name;E-Mail", *lines]))
    times: list[float] = []
    with rig.role(folder, port, "work"), rig.importing(folder, table) as process:
        while process.poll() is None:
            times += _one_by_one(peer, crowd, 20)
    if process.returncode:
        raise RuntimeError(f"the import failed: {(folder / 'import.log').read_text()[-2000:]}")
    return times


def _in_flight(port: int, crowd: Crowd, count: int) -> float:
    """Decisions a second with 64 taps under way; answers are checked after the clock."""
    made = [crowd.tap()[1:] for _ in range(count)]
    answers: list[Delivered] = []
    rate = _flooded(port, DECIDED, made, answers)
    for answer in answers:
        crowd.check(answer.topic, answer.payload)
    return rate


def _flooded(
    port: int, topic: str, said: list[tuple[str, bytes]], answers: list[Delivered]
) -> float:
    """Messages a second, each settled by one answer on ``topic``; the answers are kept."""

    def settled(came: list[Delivered]) -> int:
        answers.extend(came)
        return len(came)

    flood = Flood(port, topic)
    took = flood.run(said, IN_FLIGHT, settled)
    flood.close()
    return len(said) / took


def _followed(peer: Peer, crowd: Crowd, count: int) -> float:
    """The same where doors also tell what came of each answer, which is made meanwhile."""
    peer.received.clear()
    sent = got = 0
    began = time.perf_counter()
    while got < count:
        while sent < count and sent - got < IN_FLIGHT:
            _, topic, payload = crowd.tap()
            peer.send(topic, payload)
            sent += 1
        peer.pump(lambda: bool(peer.received))
        for message in peer.received:
            for said in crowd.followed(crowd.check(message.topic, bytes(message.payload))):
                peer.send(*said)
        got += len(peer.received)
        peer.received.clear()
    return count / (time.perf_counter() - began)


def _now() -> int:
    return time.time_ns() // 1_000_000
