"""Ports of the loopback for programs that are started by others: the demo, tests, benchmarks."""

from __future__ import annotations

import fcntl
import os
import socket
from functools import cache
from pathlib import Path
from random import SystemRandom

_BELOW_EPHEMERAL = range(15_000, 32_000)
_NOISE = SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on now, and that no other process of this user is given.

    It is this process's until it ends, so that suites and demos can run side by side. Below
    those the kernel gives to outgoing connections (32768 and up), so that it is still free when
    the program that was told of it comes to take it.
    """
    while True:
        port = _NOISE.choice(_BELOW_EPHEMERAL)
        if port not in _given and _reserved(port) and _unused(port):
            _given.add(port)
            return port


def free_ports(number: int) -> list[int]:
    """Ports that differ from each other."""
    return [free_port() for _ in range(number)]


def _reserved(port: int) -> bool:
    """Whether the port's byte of the common file is locked for this process, until it ends."""
    try:
        fcntl.lockf(_reservations(os.getpid()), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _reservations(process: int) -> int:
    """The file's handle, never closed: with any handle of it a process gives up all its locks.

    A fork gets its own by its ``process`` id: locks are not inherited (fcntl(2)).
    """
    del process
    path = Path("/tmp") / f"kokubus-ports-{os.getuid()}"  # noqa: S108 - as common as ports are
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _unused(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
