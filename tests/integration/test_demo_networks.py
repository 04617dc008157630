"""The simulated sites' networks: whole, cut, and whole again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kokubus_cli.demo.folder import DemoError
from kokubus_cli.demo.proxy import Networks
from kokubus_edge.simulate.asking import ControlError, ask

PATIENCE_S = 60


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says everything back, until the other end is silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads = [threading.Thread(target=_echo, args=(server,), daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def _echo(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            while data := connection.recv(1024):
                connection.sendall(data)


@pytest.fixture
def networks(echo: int, tmp_path: Path) -> Iterator[Networks]:
    with Networks({"dorf": echo, "berg": echo}, tmp_path / "demo.sock") as made:
        yield made


@contextmanager
def connected(networks: Networks, site: str) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", networks.ports[site]))) as made:
        made.settimeout(PATIENCE_S)
        yield made


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return not connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE_S)


def test_a_network_carries_both_ways_and_ends_with_either_end(networks: Networks) -> None:
    with connected(networks, "dorf") as one:
        one.sendall(b"hello")
        assert one.recv(5) == b"hello"
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""


def test_a_cut_network_hangs_and_goes_on_once_restored(networks: Networks) -> None:
    with connected(networks, "dorf") as old:
        old.sendall(b"1")
        assert old.recv(1) == b"1"
        assert networks.cut("dorf")
        old.sendall(b"2")
        with connected(networks, "dorf") as new:
            new.sendall(b"3")
            assert silent(old)
            assert silent(new)
            assert networks.restore("dorf")
            assert old.recv(1) == b"2"
            assert new.recv(1) == b"3"


def test_one_site_is_cut_and_the_others_are_not(networks: Networks) -> None:
    networks.cut("dorf")
    with connected(networks, "berg") as other:
        other.sendall(b"x")
        assert other.recv(1) == b"x"


def test_orders_come_over_a_socket(networks: Networks, tmp_path: Path) -> None:
    orders = tmp_path / "demo.sock"
    assert orders.stat().st_mode & 0o777 == 0o600
    assert ask(orders, {"do": "cut", "site": "dorf"})["changed"] is True
    assert ask(orders, {"do": "cut", "site": "dorf"})["changed"] is False
    assert ask(orders, {"do": "restore", "site": "dorf"})["changed"] is True
    with pytest.raises(ControlError, match="there are: berg, dorf"):
        ask(orders, {"do": "cut", "site": "tal"})
    with pytest.raises(ControlError, match="no such order"):
        ask(orders, {"do": "dance"})


def test_nothing_of_a_network_is_left(echo: int, tmp_path: Path) -> None:
    orders = tmp_path / "demo.sock"
    with Networks({"dorf": echo}, orders) as networks, connected(networks, "dorf") as one:
        networks.cut("dorf")
        one.sendall(b"x")
    assert not orders.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", networks.ports["dorf"]))


def test_a_socket_that_cannot_be_made_is_said(echo: int, tmp_path: Path) -> None:
    with pytest.raises(DemoError), Networks({"dorf": echo}, tmp_path / "no" / "demo.sock"):
        pass
