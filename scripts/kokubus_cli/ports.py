"""Ports of the loopback for programs that are started by others: the demo, tests, benchmarks."""

from __future__ import annotations

import socket
from random import SystemRandom

_BELOW_EPHEMERAL = range(15_000, 32_000)
_NOISE = SystemRandom()


def free_port() -> int:
    """A port nobody listens on now.

    Below those the kernel gives to outgoing connections (32768 and up), so that it is still free
    when the program that was told of it comes to take it.
    """
    while True:
        port = _NOISE.choice(_BELOW_EPHEMERAL)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def free_ports(number: int) -> list[int]:
    """Ports that differ from each other."""
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return list(ports)
