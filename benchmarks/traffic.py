"""What an ordinary site costs of a mobile contract: bytes on the wire in a month of 30 days.

The whole network runs as in the demo (broker with TLS and client certificates, hub, agents on
emulated chips, air and people in the rooms); each site's devices reach the broker through a
forwarder that counts. A quiet stretch, visits, bookings and reconnections are measured apart, each
with all that follows from it (receipts, deltas, reports), and put together to the ordinary day
below. The headers of IP and TCP are added for as many segments as the kernel has counted, bare
acknowledgements included. The metric is the busiest site's.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import sub
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from sqlalchemy import select, update

from benchmarks.rig import wait
from kokubus_cli.demo import prepare, proxy
from kokubus_cli.demo.cast import everybody
from kokubus_cli.demo.folder import folder, taken
from kokubus_cli.demo.stage import Stage, raised, wall_clock
from kokubus_cli.demo.village import Village
from kokubus_cli.demo.weather import Weather
from kokubus_cli.ports import free_port
from kokubus_edge.settings import READINGS_EVERY_S
from kokubus_hub import changes, database, models

HEADERS = 20 + 32
"""IPv4 and TCP with timestamps."""
_TCP_INFO = 11
_SEGMENTS = struct.Struct("136xII")
"""``tcpi_segs_out`` and ``tcpi_segs_in`` of linux/tcp.h's ``struct tcp_info``."""
VISITS, CHANGES, RECONNECTIONS = 80, 24 + 16, 4
"""A day of an ordinary site: people through its doors, policies that change (each hour brings the
rights of another; and bookings are made), and connections that LTE drops."""
DAY_S, MONTH_DAYS = 86_400, 30
SETTLE_S, REPEATS = 3.0, 4
BAR_MB = 150
"""What the least of the usual contracts for machines holds."""


class _Counting(proxy.Link):
    """A site's network that counts what it carries, in the order of the sites."""

    made: list[_Counting] = []  # noqa: RUF012 - those of the one network that is measured

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self._said = 0
        self._sockets: list[Any] = []
        self.made.append(self)
        self._loop = asyncio.get_running_loop()

    def drop(self) -> None:
        """End every connection, as a mobile network does now and then."""
        for task in list(self._tasks):
            self._loop.call_soon_threadsafe(task.cancel)

    @property
    def bytes(self) -> int:
        """On the wire until now, of all connections there were."""
        return self._said + HEADERS * sum(_segments(sock) for sock in self._sockets)

    async def _carry(self, near: Any, back: Any) -> None:
        sock: Any = back.get_extra_info("socket")
        self._sockets.append(socket.socket(fileno=os.dup(sock.fileno())))
        await super()._carry(near, back)

    async def _pump(self, source: Any, sink: Any) -> None:
        await super()._pump(_Heard(source, self), sink)


class _Heard:
    """A stream whose reads are counted."""

    def __init__(self, source: Any, link: _Counting) -> None:
        self._source, self._link = source, link

    async def read(self, most: int) -> bytes:
        data: bytes = await self._source.read(most)
        self._link._said += len(data)  # noqa: SLF001 - its own half
        return data


def _segments(sock: socket.socket) -> int:
    out, back = _SEGMENTS.unpack(sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SEGMENTS.size))
    return int(out) + int(back)


@dataclass
class Day:
    """Bytes of each site (in their order) for a second, a visit, a change, a connection."""

    second: list[float]
    visit: list[float]
    change: list[float]
    connection: list[float]

    def month_mb(self) -> float:
        """The busiest site's month."""
        sites = zip(self.second, self.visit, self.change, self.connection, strict=True)
        days = [
            DAY_S * second + VISITS * visit + CHANGES * change + RECONNECTIONS * connection
            for second, visit, change, connection in sites
        ]
        return MONTH_DAYS * max(days) / 1e6


def measure(quick: bool) -> float:
    """Megabytes a month of an ordinary site, both directions, headers included."""
    with _network() as network:
        return _day(network, stretch_s=45 if quick else 600).month_mb()


@contextmanager
def _network() -> Iterator[Stage]:
    """The demo's, with readings as often as at a real door and air in its rooms."""
    _Counting.made.clear()
    with ExitStack() as stack:
        stack.enter_context(patch.object(proxy, "Link", _Counting))
        stack.enter_context(patch.object(prepare, "READINGS_EVERY_S", READINGS_EVERY_S))
        root = Path(stack.enter_context(TemporaryDirectory(prefix="kokubus-", dir="/tmp")))
        here = folder({}, root)
        stack.enter_context(taken(here, keep=False))
        network, _ = stack.enter_context(raised(here, everybody(), free_port(), wall_clock))
        yield network


def _day(network: Stage, stretch_s: float) -> Day:
    doors = network.devices
    village = Village(network.sites, lambda door, request: network.ask(doors[door], request))
    weather = Weather(network.sites, village.people, network.ask, 1.0)
    weather.start()
    try:
        visits, counted = _spent(lambda: _visits(network, village))
        time.sleep(SETTLE_S)
        second, _ = _spent(lambda: time.sleep(stretch_s))
        quiet = [spent / stretch_s for spent in second]
        change = _apart(lambda: _changes(network), quiet)
        connection = _apart(lambda: _reconnections(network), quiet)
    finally:
        weather.stop()
    visit = [
        spent / max(1, counted[site.id]) for spent, site in zip(visits, network.sites, strict=True)
    ]
    return Day(quiet, visit, change, connection)


def _spent(work: Callable[[], Any]) -> tuple[list[float], Any]:
    """Bytes of each site while ``work`` was done, and what it returned."""
    before = [link.bytes for link in _Counting.made]
    done = work()
    return list(map(sub, [link.bytes for link in _Counting.made], before)), done


def _apart(work: Callable[[], int], quiet: list[float]) -> list[float]:
    """Bytes of each site for one of what ``work`` did so often, without what flows anyway."""
    began = time.monotonic()
    spent, count = _spent(work)
    passed = time.monotonic() - began
    return [
        max(0.0, all_of - passed * flow) / count for all_of, flow in zip(spent, quiet, strict=True)
    ]


def _visits(network: Stage, village: Village) -> dict[str, int]:
    """Everybody goes where they want to be; half of them go home. How many came, by site."""
    sites = {room.id: site.id for site in network.sites for room in site.rooms}
    came = dict.fromkeys(sites.values(), 0)
    for number, person in enumerate(everybody()):
        if village.enter(person.uid, person.room) and number % 2:
            village.leave(person.room)
        came[sites[person.room]] += 1
    return came


def _changes(network: Stage) -> int:
    """A member of every site is suspended, and taken in again."""
    member = models.Member.id == select(models.Badge.member_id).limit(1).scalar_subquery()
    for number in range(REPEATS):
        with database.writing(network.engine) as connection:
            status = ("suspended", "active")[number % 2]
            connection.execute(update(models.Member).where(member).values(status=status))
            changes.record(connection, wall_clock(), "traffic")
        time.sleep(SETTLE_S)
    return REPEATS


def _reconnections(network: Stage) -> int:
    """Every site's connection is dropped and comes back."""
    for _ in range(REPEATS):
        for link in _Counting.made:
            link.drop()
        time.sleep(1.0)
        wait(lambda: _online(network), "all devices to be back", 60.0)
        time.sleep(SETTLE_S)
    return REPEATS


def _online(network: Stage) -> bool:
    with database.reading(network.engine) as connection:
        return all(connection.scalars(select(models.Device.online)))
