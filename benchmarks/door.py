"""A real door agent over TLS: start, rest, and what a tap feels while 100,000 facts are sent.

The agent is the real process with its emulated chip and pins; the broker runs the production
configuration with client certificates; the hub is its real listener and worker. A tap's time is
that between its id, made where the badge is seen, and what the door did (`Enforced`), both by
the device's own clock.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

from sqlalchemy import select

from benchmarks import door_spool, rig, traffic
from benchmarks.network import Network, generate
from benchmarks.rig import Metric, metric, percentile
from kokubus.site import read_site
from kokubus_edge.certificate import read_certificate
from kokubus_edge.simulate.asking import ControlError, ask
from kokubus_hub import database, enrolment, models
from kokubus_hub.models import table
from kokubus_hub.settings import Settings
from kokubus_hub.sites.apply import apply

SITE = Path(__file__).parent.parent / "firmware_configs" / "sites" / "ettmannsweiler.toml"
DEVICE, DOOR = "ettmannsweiler-1", "ettmannsweiler-front"
SENSOR = "ettmannsweiler-hall-co2"
STRANGER = "04AABBCCDDEE80"
_DEVICE = table(models.Device)


def run(quick: bool) -> list[Metric]:
    """All metrics of the bench ``door``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="door-")))
        place = stack.enter_context(closing(Place(folder)))
        stack.enter_context(place.hub())
        rested = _rest(place, quick)
        raw = door_spool.flood(place.network, folder, place.ports[1], 3_000 if quick else 10_000)
        drained = _drain(place, 10_000 if quick else 100_000, rested["p99_ms"])
    return [
        metric("door", "start_s", rested["start_s"], "s", 5),
        metric("door", "idle_cpu_pct", rested["idle_cpu_pct"], "%", 3),
        metric("door", "agent_mb", rested["agent_mb"], "MiB", 60),
        metric("door", "idle_p99_ms", rested["p99_ms"], "ms"),
        metric("door", "hub_takes_per_s", raw, "1/s"),
        metric("door", "drain_per_s", drained["per_s"], "1/s", 2_000, most=False),
        metric("door", "drain_of_hub", drained["per_s"] / raw, "ratio"),
        metric("door", "drain_p99_ms", drained["p99_ms"], "ms"),
        metric("door", "drain_p99_ratio", drained["p99_ms"] / rested["p99_ms"], "ratio", 2),
        metric("door", "traffic_mb_month", traffic.measure(quick), "MB", traffic.BAR_MB),
    ]


class Place:
    """A hub's data, the production broker's ports, and one device of a real site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = Settings(data_dir=folder)
        self.network = generate(folder, members=1_000, doors=50, bookings=20_000, now=now())
        enrolment.set_up(settings, now())
        _at_a_real_site(self.network)
        enrolment.enrol(settings, self.network.engine, DEVICE, None, folder / "identity", now())
        read_certificate(folder / "identity" / "device.crt")  # as `kokubus edge enrol` leaves it
        self.ports = (0, 0)
        self.data = folder / "data"
        self.config = folder / "agent.toml"
        self.control = folder / "c.sock"

    @contextmanager
    def hub(self) -> Iterator[None]:
        """Broker, listener and worker."""
        with ExitStack() as stack:
            self.ports = stack.enter_context(rig.production_broker(self.folder))
            tls = {
                "KOKUBUS_HUB_MQTT_CA": str(self.folder / "mosquitto" / "tls" / "ca.crt"),
                "KOKUBUS_HUB_MQTT_CERT": str(self.folder / "hub.crt"),
                "KOKUBUS_HUB_MQTT_KEY": str(self.folder / "hub.key"),
            }
            for name in ("listen", "work"):
                stack.enter_context(rig.role(self.folder, self.ports[1], name, tls))
            self.config.write_text(
                f'device = "{DEVICE}"\nsite = "{SITE}"\nidentity = "identity"\nsimulated = true\n'
                f'control = "{self.control}"\n[hub]\nhost = "localhost"\nport = {self.ports[0]}\n'
            )
            rig.wait(lambda: b"listening" in (self.folder / "listen.log").read_bytes(), "the hub")
            yield

    @contextmanager
    def agent(self) -> Iterator[int]:
        """The agent's process id, once somebody can tap."""
        with rig.agent(self.config) as process:
            rig.wait(self.at_work, "the agent to be at work")
            yield process.pid

    def at_work(self) -> bool:
        """Whether the control socket answers."""
        try:
            return bool(ask(self.control, {"do": "state"}))
        except ControlError:
            return False

    def tap(self) -> str:
        """Hold a stranger's badge to the door; the tap's id."""
        request = {"do": "tap", "door": DOOR, "uid": STRANGER, "walk": False}
        return str(ask(self.control, request)["tap"])

    def has_policy(self) -> bool:
        """Whether the device has told the hub which policy it has."""
        with database.reading(self.network.engine) as connection:
            applied = select(_DEVICE.c.applied_n).where(_DEVICE.c.slug == DEVICE)
            return connection.execute(applied).scalar_one() is not None

    def took_ms(self, taps: list[str]) -> list[float]:
        """What these taps waited, once the hub has heard of all that the door did."""
        rig.wait(lambda: len(self._enforced(taps)) == len(taps), "the hub to hear of every tap", 60)
        done = self._enforced(taps)
        return [float(done[tap] - (UUID(tap).int >> 80)) for tap in taps]

    def _enforced(self, taps: list[str]) -> dict[str, int]:
        source = table(models.Enforcement)
        with database.reading(self.network.engine) as connection:
            found = connection.execute(select(source).where(source.c.tap.in_(taps)))
            return {row.tap: row.at for row in found}

    def close(self) -> None:
        """Let the database go."""
        self.network.engine.dispose()


def _rest(place: Place, quick: bool) -> dict[str, float]:
    """Start to the first tap, then nobody, then taps with an empty spool."""
    began = time.monotonic()
    with rig.agent(place.config) as process:
        rig.wait(place.at_work, "the agent to be at work")
        place.tap()
        start_s = time.monotonic() - began
        rig.wait(place.has_policy, "the agent to apply its policy", 60)
        idle = _cpu_pct(process.pid, 5 if quick else 30)
        taps = [place.tap() for _ in range(40 if quick else 200)]
        agent_mb = rig.rss_mb(process.pid)
    p99 = percentile(place.took_ms(taps), 0.99)
    return {"start_s": start_s, "idle_cpu_pct": idle, "agent_mb": agent_mb, "p99_ms": p99}


def _drain(place: Place, count: int, idle_p99: float) -> dict[str, float]:
    """Facts a second until the hub has them all, and what taps waited meanwhile."""
    del idle_p99
    epoch = door_spool.fill(place.network, place.data / "spool.db", (DEVICE, DOOR, SENSOR), count)
    drained = Event()
    taps: list[str] = []
    with place.agent():
        began = time.monotonic()
        people = Thread(target=_tapping, args=(place, drained, taps))
        people.start()
        try:
            rig.wait(lambda: door_spool.received(place.network, epoch) >= count, "the drain", 600)
            took = time.monotonic() - began
        finally:
            drained.set()
            people.join()
    waits = place.took_ms(taps)
    return {"per_s": count / took, "p99_ms": percentile(waits, 0.99)}


def _tapping(place: Place, until: Event, taps: list[str]) -> None:
    while not until.is_set():
        taps.append(place.tap())


def _cpu_pct(pid: int, seconds: float) -> float:
    """Share of one core a process takes, emulated chip included."""
    before = _cpu_s(pid)
    time.sleep(seconds)
    return 100 * (_cpu_s(pid) - before) / seconds


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _at_a_real_site(network: Network) -> None:
    """A site of ours stands beside the generated ones."""
    with database.writing(network.engine) as connection:
        apply(connection, [read_site(SITE.read_text(), SITE.name)], network.now)


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
