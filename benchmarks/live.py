"""How long after a tap the live page has it: real `listen` and `serve`, a stream as of a page.

Fifty sites with a door each, of which a signed-in page shows all. A member taps; the clock stops
when the fragment with that tap has come. The answer to the door stands beside it: what is left
is the page's own share (`kokubus_hub.live.feed`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from sqlalchemy import update

from benchmarks import rig
from benchmarks.network import HOUR_MS, Caller, Network, generate
from benchmarks.rig import Metric, Peer, metric, percentile
from kokubus import wire
from kokubus_cli.ports import free_port
from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.pages import version
from kokubus_hub.people import service as people
from kokubus_hub.security import COOKIE

DECIDED = f"{wire.ROOT}/+/down/access_decided"
WARMING = 10
PAUSE_S = 0.15
"""About as long as a page takes to be made: a tap finds the feed at any point of its turn."""


def run(quick: bool) -> list[Metric]:
    """All metrics of the bench ``live``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        network = generate(folder, members=1_000, doors=50, bookings=20_000, now=_now())
        _long_delivered(network)
        cookie, web = _cookie(network), free_port()
        port = stack.enter_context(rig.broker(folder))
        stack.enter_context(rig.listener(folder, port))
        at = {"KOKUBUS_HUB_LISTEN_PORT": str(web)}
        stack.enter_context(rig.role(folder, port, "serve", at))
        peer = Peer(port, DECIDED)
        page = stack.enter_context(_page(web, cookie))
        answered, shown = _taps(network, peer, page, 40 if quick else 400)
        peer.close()
        network.engine.dispose()
    return [
        metric("live", "answered_p50_ms", percentile(answered, 0.5), "ms"),
        metric("live", "shown_p50_ms", percentile(shown, 0.5), "ms"),
        metric("live", "shown_p95_ms", percentile(shown, 0.95), "ms", 200),
        metric("live", "shown_p99_ms", percentile(shown, 0.99), "ms"),
    ]


def _long_delivered(network: Network) -> None:
    """No booking was made just now, of which the page would have to ask which door has it."""
    with database.writing(network.engine) as connection:
        yesterday = network.now - 24 * HOUR_MS
        connection.execute(update(table(models.Booking)).values(changed_at=yesterday))


def _cookie(network: Network) -> str:
    with database.session_writing(network.engine) as session:
        operator = people.add_operator(session, "Bench", "bench@kokubus.example", network.now)
        session.flush()
        return f"{COOKIE}={people.start_session(session, operator.id, network.now).token}"


@contextmanager
def _page(port: int, cookie: str) -> Iterator[HTTPResponse]:
    """The stream of a page that is open, once it has all there is."""
    query = urlencode({"lang": "de", "page_of": version(), "signed_in": "true"})
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    rig.wait(lambda: _answers(port), "the web to be served")
    connection.request("GET", f"/live?{query}", headers={"Cookie": cookie})
    response = connection.getresponse()
    try:
        _until(response, b"site-50")
        yield response
    finally:
        response.close()
        connection.close()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _taps(
    network: Network, peer: Peer, page: HTTPResponse, count: int
) -> tuple[list[float], list[float]]:
    """Milliseconds from a tap to the door's answer, and to the page."""
    callers = [Caller(network, door) for door in range(network.doors)]
    noise, answered, shown = Random(5), list[float](), list[float]()
    for number in range(1, WARMING + count + 1):
        member = noise.randrange(network.members)
        _, topic, payload = callers[member % network.doors].tap(network.uid(member), _now())
        began = time.perf_counter()
        peer.send(topic, payload)
        peer.pump(lambda: bool(peer.received))
        answered.append((time.perf_counter() - began) * 1e3)
        peer.received.clear()
        _until(page, f'tap-{number}\\"'.encode())
        shown.append((time.perf_counter() - began) * 1e3)
        time.sleep(noise.random() * PAUSE_S)
    return answered[WARMING:], shown[WARMING:]


def _until(page: HTTPResponse, text: bytes) -> None:
    """Read the stream up to the event that holds ``text``."""
    while text not in (line := page.readline()):
        if not line:
            raise ConnectionError("the hub ended the stream")


def _now() -> int:
    return time.time_ns() // 1_000_000
