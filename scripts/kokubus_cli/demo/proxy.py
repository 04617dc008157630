"""The networks of the sites: a TCP forwarder each between its devices and the broker.

A network that is cut behaves as a dead mobile link does: nothing arrives and nothing is said
about it. Connections hang, new ones too; once it is restored they go on, as TCP would.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kokubus_cli.demo.folder import DemoError

CHUNK = 64 * 1024
HOST = "127.0.0.1"
LINE_LIMIT = 4096


class Link:
    """One site's network."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def cut(self) -> bool:
        """Whether nothing gets through."""
        return not self._whole.is_set()

    def sever(self) -> None:
        """Let nothing through from now on."""
        self._whole.clear()

    def restore(self) -> None:
        """Let everything through that waited, and what comes."""
        self._whole.set()

    async def open(self) -> int:
        """Begin to listen on a free port of loopback; the port."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End every connection."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        ends = [back]
        try:
            await self._whole.wait()
            far, forth = await asyncio.open_connection(HOST, self._target)
            ends.append(forth)
            await _first([self._pump(near, forth), self._pump(far, back)])
        except asyncio.CancelledError:
            for end in ends:
                end.transport.abort()
            raise
        except OSError:
            pass  # one end is gone: so is the connection
        finally:
            for end in ends:
                end.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            await self._whole.wait()
            sink.write(data)
            await sink.drain()
        await self._whole.wait()
        sink.write_eof()


async def _called(change: Callable[[], None]) -> None:
    change()


async def _first(ways: list[Coroutine[Any, Any, None]]) -> None:
    """Until one way has ended: half a connection is of no use to MQTT."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Networks:
    """All sites' networks and the socket that takes orders, in a thread of their own.

    ``ports`` by site: where its devices find the broker.
    """

    def __init__(self, sites: Mapping[str, int], orders: Path) -> None:
        self._targets = dict(sites)
        self._orders = orders
        self._links: dict[str, Link] = {}
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name="networks", daemon=True)
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise DemoError(f"{self._orders}: {self._failure}") from self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def cut(self, site: str) -> bool:
        """Cut a site off; whether it was connected. DemoError if there is no such site."""
        was = not self._link(site).cut
        self._on_loop(self._link(site).sever)
        return was

    def restore(self, site: str) -> bool:
        """Connect a site again; whether it was cut off."""
        was = self._link(site).cut
        self._on_loop(self._link(site).restore)
        return was

    def _on_loop(self, change: Callable[[], None]) -> None:
        if threading.current_thread() is self._thread:
            change()
        else:
            asyncio.run_coroutine_threadsafe(_called(change), self._loop).result()

    def _link(self, site: str) -> Link:
        if site not in self._links:
            known = ", ".join(sorted(self._links))
            raise DemoError(f"{site}: no site of that name; there are: {known}")
        return self._links[site]

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self._open()
        except OSError as error:
            self._failure = error
            self._stop.set()
        self._started.set()
        await self._stop.wait()
        if self._server is not None:
            self._server.close()
        for link in self._links.values():
            await link.close()
        self._orders.unlink(missing_ok=True)

    async def _open(self) -> None:
        for site, target in self._targets.items():
            link = Link(target)
            self.ports[site] = await link.open()
            self._links[site] = link
        self._server = await asyncio.start_unix_server(self._obey, self._orders, limit=LINE_LIMIT)
        self._orders.chmod(0o600)

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """``{"do": "cut" | "restore", "site": ...}``, answered as `control` answers."""
        with suppress(OSError, ValueError):
            reply = self._order(await reader.readline())
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _order(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            order = {"cut": self.cut, "restore": self.restore}[asked["do"]]
            return {"ok": True, "changed": order(str(asked["site"]))}
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": "no such order; there are: cut, restore"}
        except DemoError as error:
            return {"ok": False, "error": str(error)}
