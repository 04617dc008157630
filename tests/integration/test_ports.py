"""Suites, demos and benchmarks that run side by side are never given the same port."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import randrange

import pytest

from kokubus_cli import ports

_SCRIPT = """
import sys
from kokubus_cli import ports
ports._BELOW_EPHEMERAL = range(*map(int, sys.argv[1:3]))
for _ in range(int(sys.argv[3])):
    print(ports.free_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_suite(few: range, count: int) -> Iterator[list[int]]:
    """A process that is given ``count`` ports of a few, and lives on."""
    words = [sys.executable, "-c", _SCRIPT, str(few.start), str(few.stop), str(count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        yield [int(other.stdout.readline()) for _ in range(count)]
        other.communicate()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> range:
    """Six ports nobody uses; who asks here has to choose among them.

    No other suite at work may be given one of them meanwhile: they are below all it chooses from.
    """
    candidates = range(0)
    while not candidates or not all(map(ports._unused, candidates)):
        first = randrange(10_000, ports._BELOW_EPHEMERAL.start - 6)
        candidates = range(first, first + 6)
    monkeypatch.setattr(ports, "_BELOW_EPHEMERAL", candidates)
    return candidates


def test_each_process_has_ports_of_its_own(few: range) -> None:
    with another_suite(few, 3) as theirs:
        ours = ports.free_ports(2)
    assert set(theirs).isdisjoint(ours)
    assert len({*theirs, *ours}) == 5


def test_what_a_process_had_is_free_when_it_has_ended(few: range) -> None:
    with another_suite(few, 6) as theirs:
        assert set(theirs) == set(few)
    with socket.create_server(("127.0.0.1", few[0])):
        ours = ports.free_ports(5)
    assert set(ours) == set(few[1:])
