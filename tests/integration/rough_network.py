"""A network namespace whose only way out is a wire that loses, delays and breaks packets.

What `tc netem` does in the kernel is done here by a thread between two TUN devices (tun.rst in
the kernel's documentation), since not every kernel that tests has netem. TCP, TLS and MQTT on
both sides are the real ones and see real loss.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from random import Random
from threading import Event, Thread

HERE, THERE = "198.18.77.1", "198.18.77.2"
"""This machine and the namespace: addresses for benchmarks (RFC 2544), on no real network."""
_TUNSETIFF, _TUN_NO_PI = 0x400454CA, 0x1001
_MTU = 1400


@dataclass
class Weather:
    """What the wire does now; change it at any time."""

    loss: float = 0.0
    delay_s: float = 0.0
    broken: bool = False


class Wire:
    """Carries packets between two TUN devices through `weather`; ``lost`` and ``carried`` count."""

    def __init__(self, ends: tuple[int, int]) -> None:
        self.weather = Weather()
        self.lost = self.carried = 0
        self._ends = ends
        self._luck = Random(1)
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Carry nothing any more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            wait = max(0.0, min(0.05, self._next_at() - time.monotonic()))
            for end in select.select(self._ends, [], [], wait)[0]:
                number += 1
                self._take(end, number, os.read(end, _MTU + 100))
            self._deliver()

    def _next_at(self) -> float:
        return self._under_way[0][0] if self._under_way else time.monotonic() + 1

    def _take(self, end: int, number: int, packet: bytes) -> None:
        weather = self.weather
        if weather.broken or self._luck.random() < weather.loss:
            self.lost += 1
            return
        other = self._ends[1 - self._ends.index(end)]
        due = time.monotonic() + weather.delay_s
        heapq.heappush(self._under_way, (due, number, other, packet))

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(self._under_way)
            with suppress(OSError):  # the device is down: so is the network
                os.write(end, packet)
                self.carried += 1


class NoNamespaceError(Exception):
    """This machine does not let us make one; the sentence says why."""


@contextmanager
def namespace(name: str) -> Iterator[Wire]:
    """A namespace called ``name`` at `THERE`, this machine at `HERE`, and the wire between."""
    with ExitStack() as stack:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "delete", name)
        ends = (_tun(stack, f"{name}a"), _tun(stack, f"{name}b"))
        _ip("link", "set", f"{name}b", "netns", name)
        inside = ("-n", name)
        for where, device, own, other in (
            ((), f"{name}a", HERE, THERE),
            (inside, f"{name}b", THERE, HERE),
        ):
            _ip(*where, "address", "add", own, "peer", other, "dev", device)
            _ip(*where, "link", "set", device, "mtu", str(_MTU), "up")
        _ip(*inside, "link", "set", "lo", "up")
        wire = Wire(ends)
        stack.callback(wire.close)
        yield wire


def _tun(stack: ExitStack, name: str) -> int:
    try:
        end = os.open("/dev/net/tun", os.O_RDWR)
        stack.callback(os.close, end)
        fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN_NO_PI))
    except OSError as error:
        raise NoNamespaceError(f"no TUN device to be had: {error}") from error
    return end


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoNamespaceError(f"ip of iproute2 cannot be run: {error}") from error
    if done.returncode != 0:
        raise NoNamespaceError(f"ip {' '.join(words)}: {done.stderr.strip()}")
