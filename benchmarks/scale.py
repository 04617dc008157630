"""A large network on PostgreSQL: 50,000 members, 1 million bookings, 5 million taps.

A decision is timed from tap to commit, in turn with a network a fiftieth of the size in the same
server; ``--quick`` makes both a tenth. Every list of the API, the day of a site and the board of
the live page are asked with names and cursors drawn at random: what the database took has the
bar, the whole answer with its JSON stands beside it. ``python -m benchmarks.scale --plans
[--quick]`` writes how the database answers them to docs/plans.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from httpx import ASGITransport, AsyncClient
from sqlalchemy import Connection, event

from benchmarks import _large
from benchmarks._large import DAY_MS, DOORS, Size, a_door, a_room, a_site
from benchmarks.network import Caller, Network
from benchmarks.rig import Metric, metric, percentile
from kokubus_hub.app import create_app
from kokubus_hub.context import Hub
from kokubus_hub.database import reading, session_writing
from kokubus_hub.intake import Intake
from kokubus_hub.live import board
from kokubus_hub.people import service as people
from kokubus_hub.settings import Settings
from kokubus_hub.sorting import Letter
from kokubus_hub.times import iso
from kokubus_hub.today import day

OUT = Path(__file__).parent.parent / "docs" / "plans.md"
BAR_MS, TAPS, ASKED, WARMING = 50, 500, 40, 3
Draw = Callable[[Random], Mapping[str, Any]]
Ask = Callable[[Random], object]


@dataclass(frozen=True, slots=True)
class Lists:
    """Everything that lists rows of a large network, by name."""

    hub: Hub
    size: Size
    client: AsyncClient
    runner: asyncio.Runner

    def all(self) -> dict[str, Ask]:
        """What is measured; each draws for whom, for where and from which row on."""
        asked = {name: partial(self._get, *one) for name, one in self._addresses().items()}
        pages: dict[str, Ask] = {"page_today": self._today, "page_live": self._live}
        return asked | pages

    def _addresses(self) -> dict[str, tuple[str, Draw]]:
        return (
            self._people()
            | self._bookings()
            | self._happened("events", self.size.events)
            | (self._happened("passages", self.size.events * 4 // 9) | _small())
        )

    def _people(self) -> dict[str, tuple[str, Draw]]:
        cursor = partial(_cursor, "after", self.size.members)
        return {
            "members": ("members", cursor),
            "badges": ("badges", cursor),
            "entitlements": ("entitlements", cursor),
            "unknown_badges": ("unknown-badges", _nothing),
        }

    def _bookings(self) -> dict[str, tuple[str, Draw]]:
        member, today = self._member, self._span
        drawn: dict[str, Draw] = {
            "": partial(_cursor, "next", self.size.bookings),
            "_of_site": a_site,
            "_of_room": a_room,
            "_of_member": member,
            "_by_uid": lambda noise: {"uid": f"uid-{noise.randrange(self.size.bookings) + 1}"},
            "_cancelled": lambda _: {"status": "cancelled"},
            "_conflicts": lambda _: {"status": "conflict"},
            "_of_a_day": today,
            "_of_a_day_and_site": lambda noise: {**today(noise), **a_site(noise)},
            "_of_a_day_and_room": lambda noise: {**today(noise), **a_room(noise)},
            "_of_a_day_and_member": lambda noise: {**today(noise), **member(noise)},
        }
        return {f"bookings{name}": ("bookings", draw) for name, draw in drawn.items()}

    def _happened(self, what: str, rows: int) -> dict[str, tuple[str, Draw]]:
        before, after = partial(_cursor, "before", rows), partial(_cursor, "after", rows)
        whose: dict[str, Draw] = {
            "": _nothing,
            "_of_site": a_site,
            "_of_door": a_door,
            "_of_member": self._member,
        }
        drawn = {
            f"{what}{of}{way}": partial(_both, draw, moved)
            for of, draw in whose.items()
            for way, moved in (("", _nothing), ("_before", before), ("_after", after))
        }
        return {name: (what, draw) for name, draw in drawn.items()}

    def _get(self, path: str, draw: Draw, noise: Random) -> None:
        answer = self.runner.run(self.client.get(f"/api/v1/{path}", params=dict(draw(noise))))
        assert answer.status_code == 200, answer.text

    def _today(self, noise: Random) -> None:
        with reading(self.hub.engine) as connection:
            day.read(connection, self.hub, str(a_site(noise)["site"]))

    def _live(self, _noise: Random) -> None:
        board.read(self.hub)

    def _member(self, noise: Random) -> Mapping[str, Any]:
        return {"member": f"m-{noise.randrange(self.size.members):08x}"}

    def _span(self, noise: Random) -> Mapping[str, Any]:
        start = self.hub.now() - noise.randrange(300) * DAY_MS
        return {"after": iso(start), "before": iso(start + DAY_MS)}


def run(quick: bool) -> list[Metric]:
    """All metrics of the bench ``scale``."""
    with _served(quick) as (small, large, lists):
        load = metric("scale", "load_average", os.getloadavg()[0], "")
        times = _taken_in_turn([small, large])
        ratio = percentile(times[1], 0.5) / percentile(times[0], 0.5)
        asked = [one for name, ask in lists.all().items() for one in _measured(large, name, ask)]
    return [
        load,
        metric("scale", "decision_p50_small_ms", percentile(times[0], 0.5), "ms"),
        metric("scale", "decision_p50_large_ms", percentile(times[1], 0.5), "ms"),
        metric("scale", "decision_p50_ratio", ratio, "x", 2),
        *asked,
    ]


def plans(quick: bool) -> None:
    """Write docs/plans.md."""
    with _served(quick) as (_, large, lists):
        parts = [_plan(large, name, ask) for name, ask in lists.all().items()]
        size = lists.size
    head = _HEAD.format(members=size.members, bookings=size.bookings, events=size.events)
    OUT.write_text("\n\n".join([head, *parts]) + "\n", encoding="utf-8")


_HEAD = """# How PostgreSQL answers each list

Made by `python -m benchmarks.scale --plans`: {members:,} members, {bookings:,} bookings, {events:,}
taps, PostgreSQL as it is configured by default. Of every list that the API, a site's day and the
live page ask for, the dearest statement's plan. A sequential scan of a large table
(`booking`, `access_event`, `enforcement`, `passage`, `booking_delivery`) would be a mistake."""


@contextmanager
def _served(quick: bool) -> Iterator[tuple[Network, Network, Lists]]:
    now = time.time_ns() // 1_000_000
    by = 10 if quick else 1
    with ExitStack() as stack:
        url = stack.enter_context(_large.server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        size = _large.LARGE.shared(by)
        small = _large.fill(url, "small", folder / "small", _large.SMALL.shared(by), now)
        large = _large.fill(url, "large", folder / "large", size, now)
        for network in (small, large):
            stack.callback(network.engine.dispose)
        settings = Settings(data_dir=folder)
        app = create_app(settings, large.engine, large.keyring, now=lambda: now)
        client = AsyncClient(
            transport=ASGITransport(app),
            base_url="http://hub",
            headers={"Authorization": f"Bearer {_token(large)}"},
        )
        runner = stack.enter_context(asyncio.Runner())
        yield small, large, Lists(app.state.hub, size, client, runner)


def _token(network: Network) -> str:
    with session_writing(network.engine) as session:
        operator = people.add_operator(session, "Bench", "bench@example.org", network.now)
        return people.make_token(session, operator.id, "bench", network.now)


def _taken_in_turn(networks: list[Network]) -> list[list[float]]:
    """ms of one tap at each in turn, so that both see the same weather."""
    intakes = [Intake(network.engine, network.keyring) for network in networks]
    callers = [[Caller(network, door) for door in range(DOORS)] for network in networks]
    times: list[list[float]] = [[] for _ in networks]
    noise = Random(3)
    for _ in range(TAPS):
        for index, network in enumerate(networks):
            member, now = noise.randrange(network.members), time.time_ns() // 1_000_000
            _, topic, payload = callers[index][member % DOORS].tap(network.uid(member), now)
            began = time.perf_counter()
            intakes[index].take([Letter(topic, payload)], now)
            times[index].append((time.perf_counter() - began) * 1e3)
    return times


def _measured(network: Network, name: str, ask: Ask) -> list[Metric]:
    """p95 of what the database took for one answer, which has the bar, and of the whole answer."""
    noise, whole, queried = Random(5), [], []
    with _clocked(network) as spent:
        for _ in range(WARMING + ASKED):
            spent.clear()
            began = time.perf_counter()
            ask(noise)
            whole.append((time.perf_counter() - began) * 1e3)
            queried.append(sum(spent) * 1e3)
    return [
        metric("scale", f"{name}_query_p95_ms", percentile(queried[WARMING:], 0.95), "ms", BAR_MS),
        metric("scale", f"{name}_answer_p95_ms", percentile(whole[WARMING:], 0.95), "ms"),
    ]


@contextmanager
def _clocked(network: Network) -> Iterator[list[float]]:
    """Seconds of each statement meanwhile, planned, run and its rows received."""
    spent: list[float] = []
    began = [0.0]

    def start(*_: Any) -> None:
        began[0] = time.perf_counter()

    def end(*_: Any) -> None:
        spent.append(time.perf_counter() - began[0])

    event.listen(network.engine, "before_cursor_execute", start)
    event.listen(network.engine, "after_cursor_execute", end)
    try:
        yield spent
    finally:
        event.remove(network.engine, "before_cursor_execute", start)
        event.remove(network.engine, "after_cursor_execute", end)


def _plan(network: Network, name: str, ask: Ask) -> str:
    """The plan of the statement of this list that the database finds dearest."""
    with _heard(network) as said, network.engine.connect() as connection:
        ask(Random(5))
        explained = [_explained(connection, *one) for one in list(said)]
    return f"## {name}\n\n```\n{max(explained)[1]}\n```"


def _explained(connection: Connection, statement: str, values: Any) -> tuple[float, str]:
    how = "EXPLAIN (FORMAT JSON)", "EXPLAIN (COSTS OFF)"
    dear = connection.exec_driver_sql(f"{how[0]} {statement}", values).scalar_one()
    lines = connection.exec_driver_sql(f"{how[1]} {statement}", values).scalars()
    return dear[0]["Plan"]["Total Cost"], "\n".join(line[:160] for line in lines)


@contextmanager
def _heard(network: Network) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that only reads, as it is sent meanwhile."""
    said: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            said.append((statement, values))

    event.listen(network.engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(network.engine, "before_cursor_execute", hear)


def _small() -> dict[str, tuple[str, Draw]]:
    """Lists that grow with places, not with members."""
    names = ("sites", "doors", "devices", "modes", "plans", "calendars", "inbox")
    return {name: (name, _nothing) for name in names}


def _nothing(_noise: Random) -> Mapping[str, Any]:
    return {}


def _cursor(name: str, rows: int, noise: Random) -> Mapping[str, Any]:
    return {name: noise.randrange(rows)}


def _both(one: Draw, other: Draw, noise: Random) -> Mapping[str, Any]:
    return {**one(noise), **other(noise)}


if __name__ == "__main__":
    plans("--quick" in sys.argv)
