"""How long until 50 doors have confirmed a changed booking.

One hall with 50 doors, a device to each, a real Mosquitto, `listen` and `work`, and for every
door the edge's own policy store, which verifies what it hears and writes it to the disk. A booking
is extended or shortened again and again; each time counts from the commit until the hub's
table says of all 50 doors that they have it. The 50 stores share one thread here, and in the field
are 50 machines: they write to memory where that is possible, and what they spend a change stands
beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, func, select, update

from benchmarks.network import Caller, Network, generate
from benchmarks.rig import Metric, Peer, broker, listener, metric, percentile, role
from kokubus import wire
from kokubus.messages import DeviceStatus, PolicyApplied
from kokubus_edge.policy_store import PolicyStore, PolicyStored
from kokubus_hub import changes, database, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.models import table

DOORS, MEMBERS, BOOKINGS = 50, 200, 300
HALL = "room-1"
MEMORY = Path("/dev/shm")  # noqa: S108 - as fast as a disk can be, for what is not measured
_KEPT = table(models.BookingDelivery)


class AtOnce(Executor):
    """Runs everything where it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it now."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Clock:
    """The machine's."""

    boot = "bench"

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def mono(self) -> int:
        """Milliseconds of the monotonic clock."""
        return time.monotonic_ns() // 1_000_000


class Door:
    """One device: it hears policies, stores them and says so."""

    def __init__(self, network: Network, number: int, folder: Path, peer: Peer) -> None:
        folder.mkdir()
        self.caller = Caller(network, number)
        self.name = self.caller.device
        self._keys = {network.keyring.kid: network.keyring.verifying}
        self._peer = peer
        self.store = PolicyStore(folder, clock=Clock(), tell=self._told, disk=AtOnce())

    def hear(self, payload: bytes) -> None:
        """A message for this door."""
        self.store.take(wire.decode_down(payload, device=self.name, keys=self._keys))

    def say(self, message: Any) -> None:
        """What the door has to say."""
        stamp = self.caller.stamp() if message.kind in wire.FACTS else None
        self._peer.send(wire.up_topic(self.name, message.kind), wire.encode_up(message, stamp))

    def _told(self, what: Any) -> None:
        if isinstance(what, PolicyStored):
            now = Clock().now()
            fact = PolicyApplied(
                id=f"{self.name}-{now}-{what.number.n}",
                at=now,
                number=what.number,
                sha256=what.sha256,
            )
            self.say(fact)


@dataclass
class Hall:
    """The doors, and what pumps their messages."""

    peer: Peer
    doors: dict[str, Door]
    spent: float = 0.0

    def until(self, done: Callable[[], bool]) -> None:
        """Let the doors do their work until then."""

        def step() -> bool:
            heard, self.peer.received[:] = list(self.peer.received), []
            began = time.perf_counter()
            for message in heard:
                self.doors[message.topic.split("/")[2]].hear(message.payload)
            self.spent += time.perf_counter() - began
            return done()

        self.peer.pump(step)


def run(quick: bool) -> list[Metric]:
    """Measure; ``quick`` changes fewer bookings."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        network = generate(
            folder, members=MEMBERS, doors=DOORS, bookings=BOOKINGS, now=Clock().now()
        )
        _one_hall(network.engine)
        with broker(folder) as port, listener(folder, port), role(folder, port, "work"):
            took, doors = _measure(network, port, 30 if quick else 200)
    return [
        metric("delivery", "confirmed_p99", percentile(took, 0.99), "s", 1.0),
        metric("delivery", "confirmed_p50", percentile(took, 0.5), "s"),
        metric("delivery", "of_that_50_doors_in_one_thread", doors, "s"),
    ]


def _one_hall(engine: Engine) -> None:
    with database.writing(engine) as connection:
        for model in (models.Device, models.Room):
            connection.execute(update(table(model)).values(site_id=1))
        door = update(table(models.Door)).values(site_id=1, room_id=1, from_room_id=None)
        connection.execute(door)
        connection.execute(update(table(models.Room)).values(desks=500, capacity=500))
        connection.execute(update(table(models.Booking)).values(room_id=1))
        changes.record(connection, Clock().now(), "one hall")


def _measure(network: Network, port: int, count: int) -> tuple[list[float], float]:
    """(seconds of each change, seconds the doors spent on one)."""
    memory = MEMORY if MEMORY.is_dir() else None
    with TemporaryDirectory(dir=memory) as name:
        peer = Peer(port, "kokubus/v1/+/down/#")
        hall = Hall(peer, {})
        for number in range(DOORS):
            door = Door(network, number, Path(name) / f"door-{number}", peer)
            hall.doors[door.name] = door
            door.say(DeviceStatus(at=Clock().now(), online=True, boot="bench", version="1"))
        booking = _book(network)
        hall.until(lambda: _confirmed(network.engine, booking))
        took, before = [], hall.spent
        for turn in range(count):
            began = _change(network.engine, booking, timedelta(hours=2 + turn % 2))
            hall.until(lambda: _confirmed(network.engine, booking))
            took.append(time.perf_counter() - began)
        peer.close()
        return took, (hall.spent - before) / count


def _book(network: Network) -> int:
    start = datetime.fromtimestamp(network.now / 1000, UTC) + timedelta(hours=1)
    with database.reading(network.engine) as connection:
        slug = connection.execute(select(table(models.Member).c.slug).limit(1)).scalar_one()
    wanted = Wanted(room=HALL, member=slug, span=(start, start + timedelta(hours=1)))
    with database.writing(network.engine) as connection:
        _free(connection, slug)
        return int(service.make(connection, wanted, network.now).id)


def _free(connection: Any, slug: str) -> None:
    """Whoever books has nothing else there."""
    member = select(table(models.Member).c.id).where(table(models.Member).c.slug == slug)
    booking = table(models.Booking)
    mine = booking.c.member_id == member.scalar_subquery()
    connection.execute(update(booking).where(mine).values(status="cancelled"))


def _change(engine: Engine, booking: int, length: timedelta) -> float:
    with database.writing(engine) as connection:
        held = service.wanted_of(connection, service.by_id(connection, booking))
        assert held.span is not None
        span = (held.span[0], held.span[0] + length)
        service.change(connection, booking, replace(held, span=span), Clock().now())
    return time.perf_counter()


def _confirmed(engine: Engine, booking: int) -> bool:
    has = select(func.count()).where(_KEPT.c.booking_id == booking, _KEPT.c.state == "on_the_door")
    with database.reading(engine) as connection:
        return bool(connection.execute(has).scalar_one() == DOORS)
