"""The demo network in a real SQLite file, whose story a test tells row by row."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, insert, select, update
from starlette.types import Receive, Scope, Send
from tests.hub.migrated import migrated

from kokubus.errors import KokubusError
from kokubus.occupancy import Belief
from kokubus_hub import changes, database, models, places
from kokubus_hub.app import bare_app, configuration, create_app, serve_hub
from kokubus_hub.context import Hub
from kokubus_hub.keys import Keyring
from kokubus_hub.models import Base, table
from kokubus_hub.people import service as people
from kokubus_hub.settings import Settings
from kokubus_hub.sites.apply import apply, read_sites

SITES = Path(__file__).parents[2] / "firmware_configs" / "sites"
NOW = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC, a Monday: 16:13 at the sites."""
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
OPERATOR, PASSWORD = "olga@example.org", "a long enough password"


class BrokerAwayError(KokubusError):
    """What a publisher raises that has no broker."""


@dataclass
class Published:
    """Takes what is published, or refuses it."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)
    away: bool = False

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, life_s: int | None = None
    ) -> None:
        assert not retain
        assert life_s == 10
        if self.away:
            raise BrokerAwayError("127.0.0.1:1883: nobody answers")
        self.messages.append((topic, payload))


@dataclass
class World:
    """The hub's parts and a clock that stands still until it is moved."""

    engine: Engine
    keyring: Keyring
    settings: Settings
    publisher: Published = field(default_factory=Published)
    now: int = NOW
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def app(self) -> FastAPI:
        hub = self.hub()
        return create_app(hub.settings, hub.engine, hub.keyring, hub.publisher, hub.now)

    def hub(self) -> Hub:
        return Hub(self.settings, self.engine, self.keyring, lambda: self.now, self.publisher)

    def insert(self, model: type[Base], **values: Any) -> int:
        with database.writing(self.engine) as connection:
            added = connection.execute(insert(table(model)).values(**values))
            return added.inserted_primary_key[0]

    def set(self, model: type[Base], slug: str, **values: Any) -> None:
        held = table(model)
        with database.writing(self.engine) as connection:
            connection.execute(update(held).where(held.c.slug == slug).values(**values))

    def id_of(self, model: type[Base], slug: str) -> int:
        held = table(model)
        with database.reading(self.engine) as connection:
            return int(
                connection.execute(select(held.c.id).where(held.c.slug == slug)).scalar_one()
            )

    def operator(self, *, password: bool = False) -> int:
        with database.session_writing(self.engine) as session:
            made = people.add_operator(session, "Olga Probe", OPERATOR, self.now)
            if password:  # hashing takes its time
                people.set_password(session, made.id, PASSWORD)
            return made.id

    def token(self, operator: int) -> str:
        with database.session_writing(self.engine) as session:
            return people.make_token(session, operator, "test", self.now)

    def link(self, operator: int) -> str:
        with database.session_writing(self.engine) as session:
            return people.make_link(session, operator, self.now)

    def session(self, operator: int) -> people.Started:
        with database.session_writing(self.engine) as session:
            return people.start_session(session, operator, self.now)

    def member(self, name: str) -> int:
        slug = f"m-{next(self.numbers):08d}"
        return self.insert(models.Member, slug=slug, name=name, email=f"{slug}@example.org")

    def book(self, member: int, room: str, start: int, end: int, **more: Any) -> int:
        with database.writing(self.engine) as connection:
            change = changes.record(connection, self.now, "booking")
        return self.insert(
            models.Booking,
            member_id=member,
            room_id=self.id_of(models.Room, room),
            start=start,
            end=end,
            change_id=change,
            created_at=self.now,
            changed_at=self.now,
            **more,
        )

    def change(self) -> int:
        with database.reading(self.engine) as connection:
            return changes.latest(connection)

    def online(self, device: str, *, applied: int | None = None) -> None:
        """The device is connected; ``applied`` is the change its policy goes up to."""
        about = {"applied_change": applied, "applied_at": self.now} if applied is not None else {}
        self.set(models.Device, device, online=True, status_at=self.now, **about)

    def tap(
        self,
        door: str,
        member: int | None,
        reason: str | None,
        *,
        granted: bool | None,
        at: int | None = None,
        **more: Any,
    ) -> str:
        number = next(self.numbers)
        door_id = self.id_of(models.Door, door)
        with database.reading(self.engine) as connection:
            held = table(models.Door)
            device = connection.execute(
                select(held.c.device_id).where(held.c.id == door_id)
            ).scalar_one()
        values = {
            "tap": f"tap-{number}",
            "device_id": device,
            "door_id": door_id,
            "at": at or self.now,
            "received_at": at or self.now,
            "epoch": "e",
            "seq": number,
            "boot": "b",
            "uptime_ms": 1,
            "clock": "synced",
            "side": "in",
            "member_id": member,
            "granted": granted,
            "reason": reason,
            "decided_at": at or self.now,
        }
        self.insert(models.AccessEvent, **values | more)
        return str(values["tap"])

    def enforced(
        self, tap: str, door: str, reason: str, *, granted: bool, by: str = "hub", at: int = 0
    ) -> None:
        self.insert(
            models.Enforcement,
            tap=tap,
            door_id=self.id_of(models.Door, door),
            at=at or self.now,
            by=by,
            granted=granted,
            reason=reason,
            received_at=at or self.now,
        )

    def passed(self, door: str, *, at: int = 0, **more: Any) -> None:
        at = at or self.now
        door_id = self.id_of(models.Door, door)
        self.insert(models.Passage, door_id=door_id, at=at, received_at=at, **more)

    def said(self, kind: str, door: str, **more: Any) -> None:
        door_id = self.id_of(models.Door, door)
        about = {"kind": kind, "at": self.now, "received_at": self.now, "device_id": 1}
        self.insert(models.DoorEvent, door_id=door_id, **about | more)

    def crowd(self, room: str, *chances: float) -> None:
        """P(n) of a room, n = 0, 1, ..., as of now."""
        room_id = self.id_of(models.Room, room)
        with database.reading(self.engine) as connection:
            model = places.load(connection, 0).rooms[room_id].model
        posterior = (*chances, *([0.0] * (model.places + 1 - len(chances))))
        belief = Belief(at=self.now, posterior=posterior)
        self.insert(models.Belief, room_id=room_id, at=self.now, state=belief.to_json())


@contextmanager
def web_world(folder: Path) -> Iterator[World]:
    """The network of `firmware_configs/sites`, freshly applied."""
    settings = Settings(data_dir=folder, listen_port=8080)
    (folder / "kokubus.db").write_bytes(_applied())
    engine = database.engine(settings.database)
    try:
        yield World(engine, Keyring.create(settings.keys_dir), settings)
    finally:
        engine.dispose()


@cache
def _applied() -> bytes:
    """A database with every table and the demo's sites, made once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kokubus.db"
        path.write_bytes(migrated())
        engine = database.engine(database.sqlite_url(path))
        with database.writing(engine) as connection:
            apply(connection, read_sites(SITES), NOW)
            connection.execute(update(table(models.Device)).values(lookup_key=b"enrolled"))
        engine.dispose()
        return path.read_bytes()


_idle: list[FastAPI] = []


@contextmanager
def _app() -> Iterator[FastAPI]:
    """An app for one world after the other: building it costs more than most tests do."""
    app = _idle.pop() if _idle else bare_app()
    yield app
    _idle.append(app)


@dataclass
class Stage:
    """One server for many tests, each with a world of its own behind it.

    It runs no lifespan: no feed.
    """

    app: FastAPI
    address: str = ""

    def enter(self, hub: Hub) -> None:
        """From now on this hub is served."""
        serve_hub(self.app, hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@contextmanager
def staging() -> Iterator[Stage]:
    """A server whose world each test brings along."""
    with _app() as app:
        stage = Stage(app)
        config = uvicorn.Config(stage, lifespan="off", ws="none", log_level="warning")
        with _running(config) as address:
            stage.address = address
            yield stage


@contextmanager
def serving(world: World) -> Iterator[str]:
    """The world's whole app, feed included, as `serve` configures it; its address."""
    with _app() as app:
        serve_hub(app, world.hub())
        config = configuration(app, world.settings)
        with _running(config, app.state.feed.ask_to_end) as address:
            yield address


@contextmanager
def _running(config: uvicorn.Config, before: Callable[[], None] = lambda: None) -> Iterator[str]:
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # As asyncio does for sockets of its own; else an answer waits 40 ms for the client's ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            before()
            server.should_exit = True
            thread.join()
