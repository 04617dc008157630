"""What systemd is told: datagrams at the socket it names, and nothing without one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kokubus_edge import systemd


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(30)
        yield listening


def test_it_is_told_at_a_path(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    manager.bind(str(path))
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    for state in ("READY=1", "WATCHDOG=1", "STOPPING=1"):
        systemd.notify(state)
        assert manager.recv(100) == state.encode()


def test_it_is_told_in_the_abstract(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"kokubus-test-{os.getpid()}"
    manager.bind(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    systemd.notify("READY=1")
    assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "gone"])
def test_without_somebody_to_tell_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / address) if address else "")
    systemd.notify("READY=1")
    assert list(tmp_path.iterdir()) == []
