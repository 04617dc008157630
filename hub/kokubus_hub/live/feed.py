"""Pushes what changed to every open page: one thread polls, however many pages are open."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TypeAlias

import structlog
from sqlalchemy import Connection, Engine

from kokubus_hub.live.board import Board

Channel: TypeAlias = tuple[str, bool]
"""A language, and whether the reader is signed in."""
Fragments: TypeAlias = Mapping[str, str]
"""HTML by element id."""

PERIOD_S = 0.05
REFRESH_S = 10.0
"""Estimates change with time alone, so open pages get them anew this often."""
BEAT_S = 5.0
_VERSION = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT pg_current_snapshot()::text"}
log = structlog.get_logger()


class Client:
    """One open page. A slow one gets the newest of each fragment, not all there were."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._pending: dict[str, str] = {}
        self._over = False
        self.fresh = True

    def offer(self, fragments: Fragments, *, over: bool = False) -> None:
        """Hand over fragments from any thread; ``over`` ends the page's stream."""
        with suppress(RuntimeError):  # its loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(self._take, fragments, over)

    async def next(self, deadline: float) -> Fragments | None:
        """What changed since the last call; None at the end, or at this time of the loop."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            return None
        self._wake.clear()
        taken, self._pending = self._pending, {}
        return None if self._over else taken

    def _take(self, fragments: Fragments, over: bool) -> None:
        self._pending.update(fragments)
        self._over = self._over or over
        self._wake.set()


class Feed:
    """Reads the board when the database has changed, and sends each page what differs."""

    def __init__(
        self,
        engine: Engine,
        read: Callable[[], Board],
        render: Callable[[Board, Channel], Fragments],
        beat: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._read, self._render, self._beat = read, render, beat
        self._clients: set[Client] = set()
        self._sent: defaultdict[Channel, dict[str, str]] = defaultdict(dict)
        self._lock, self._nudge = Lock(), Event()
        self._closed = False
        self._thread = Thread(target=self._run, name="live-feed", daemon=True)

    def start(self) -> None:
        """Begin polling; costs nothing to speak of while no page is open."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Let every stream end soon; takes no lock, so a signal handler may call it."""
        self._closed = True

    def close(self) -> None:
        """End every stream, and the thread."""
        self.ask_to_end()
        self._nudge.set()
        self._thread.join()

    def open(self, channel: Channel) -> Client:
        """A new page; it is sent everything at once."""
        client = Client(channel)
        with self._lock:
            self._clients.add(client)
        self._nudge.set()
        return client

    def leave(self, client: Client) -> None:
        """The page was closed."""
        with self._lock:
            self._clients.discard(client)

    def _run(self) -> None:
        while not self._closed:
            try:
                with self._engine.connect() as connection:
                    self._watch(connection)
            except Exception as error:  # the database may be away for a while
                log.warning("live_feed_interrupted", error=repr(error))
                time.sleep(PERIOD_S * 20)
        for client in self._everybody():
            client.offer({}, over=True)

    def _watch(self, connection: Connection) -> None:
        seen, told_at, beat_at = None, 0.0, 0.0
        while not self._closed:
            began = time.monotonic()
            if began - beat_at >= BEAT_S:
                beat_at = began
                self._beat()
            clients = self._everybody()
            if not clients:
                self._wait(BEAT_S)
                continue
            now = _version(connection)
            due = now != seen or began - told_at >= REFRESH_S
            if due or any(client.fresh for client in clients):
                seen, told_at = now, began
                self._tell(clients)
            self._wait(max(PERIOD_S, time.monotonic() - began))

    def _wait(self, seconds: float) -> None:
        self._nudge.wait(seconds)
        if not self._closed:
            self._nudge.clear()

    def _everybody(self) -> list[Client]:
        with self._lock:
            return list(self._clients)

    def _tell(self, clients: list[Client]) -> None:
        board = self._read()
        for channel in {client.channel for client in clients}:
            every = self._render(board, channel)
            before = self._sent[channel]
            changed = {name: html for name, html in every.items() if before.get(name) != html}
            self._sent[channel] = dict(every)
            for client in clients:
                if client.channel == channel and (changed or client.fresh):
                    client.offer(every if client.fresh else changed)
                    client.fresh = False


def _version(connection: Connection) -> object:
    """Changes with every commit of others; no transaction stays open behind it."""
    found = connection.exec_driver_sql(_VERSION[connection.dialect.name]).scalar()
    connection.rollback()
    return found
