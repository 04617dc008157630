"""All parts of an agent, wired in one place: `run` is what ``kokubus edge run`` does."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import structlog

from kokubus import logs
from kokubus.credential import PIN, Credential
from kokubus.errors import SettingsError
from kokubus.happenings import BadgeMisread, BadgeSeen, CodeEntered
from kokubus.messages import Clock, Side
from kokubus_edge import systemd
from kokubus_edge.agent import Agent, ReaderTrouble, Stop, new_tap_id
from kokubus_edge.care import Care
from kokubus_edge.clock import DeviceClock
from kokubus_edge.codes import Codes
from kokubus_edge.hands import Hands
from kokubus_edge.hardware import Hardware
from kokubus_edge.health import Health
from kokubus_edge.identity import Identity, read_identity
from kokubus_edge.link import Link
from kokubus_edge.link_ear import Ear
from kokubus_edge.link_line import Broker
from kokubus_edge.link_tls import tls_context
from kokubus_edge.log_lines import RECENT
from kokubus_edge.minding import Minding
from kokubus_edge.pin_factory import pin_factory
from kokubus_edge.policy_file import REMEMBER_MS
from kokubus_edge.policy_store import PolicyStore
from kokubus_edge.reader import Code, Misread, ReaderHappening, ReaderThread
from kokubus_edge.readers import make_reader, poll_ms
from kokubus_edge.sealing import Sealer
from kokubus_edge.sensing import Measured, Sensing, tell_crossing
from kokubus_edge.settings import Settings
from kokubus_edge.spool import Spool
from kokubus_edge.spool_orders import Sizes

log = structlog.get_logger(__name__)


SWITCH_S = 0.001
"""A tap passes four threads; behind a busy one each would wait for Python's usual 5 ms."""


def run(settings: Settings) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    sys.setswitchinterval(SWITCH_S)
    logs.configure(RECENT.behind(sys.stderr))
    with Running(settings) as running:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.inbox.put(Stop()))
        systemd.notify("READY=1")
        log.info("agent_ready", device=settings.device, doors=list(running.agent.doors))
        running.agent.run()
        systemd.notify("STOPPING=1")


class Running:
    """An agent and all its threads; when it ends, its bolts are let go first.

    Parts are made in the order they need each other; each tells its happenings to the inbox,
    which exists before all of them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.inbox: SimpleQueue[object] = SimpleQueue()
        self._stack, self._bolts = ExitStack(), ExitStack()
        self._readers: dict[str, ReaderThread] = {}
        _make_folder(settings.data)
        self._identity = read_identity(settings)
        always = Clock.SYNCED if settings.simulated else None
        self.clock = DeviceClock(
            settings.data / "clock.json", drift_ppm=settings.rtc_drift_ppm, always=always
        )
        self.care = Care(settings, self._identity, self.clock, self.inbox.put)

    def __enter__(self) -> Running:
        with ExitStack() as building:
            building.callback(self._close)
            self._build()
            building.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        try:
            self._bolts.close()
        finally:
            self._stack.close()

    def _build(self) -> None:
        put = self.inbox.put
        disk = self._stack.enter_context(ThreadPoolExecutor(1, "disk"))
        policies = PolicyStore(self.settings.data, clock=self.clock, tell=put, disk=disk)
        policies.load()
        link, spool = self._link()
        factory = pin_factory(self.settings, os.environ)
        simulation = self._simulation(factory)
        self.agent = Agent(
            self.settings.device,
            [door.spec for door in self.settings.doors],
            inbox=self.inbox,
            clock=self.clock,
            policies=policies,
            alive=self.care.vitals.tick,
            overhear=simulation.overhear if simulation else None,
        )
        crossed = partial(tell_crossing, put, self.clock)
        hardware = Hardware(self.settings.doors, self.settings.sensors, put, factory, crossed)
        self._bolts.callback(hardware.close)
        alarms = self.settings.data / "alarms.json"
        minding = Minding(alarms, clock=self.clock, policies=policies, disk=disk)
        hands = Hands(
            wires=hardware,
            link=link,
            spool=spool,
            codes=self._codes(disk),
            minding=minding,
            orders=self.care.orders,
            trust=self.care.trust,
            site=self.care.site,
        )
        self.agent.connect(hands)
        hardware.start()
        link.start()
        self._read_badges(factory)
        self._sense(hardware, simulation.measured if simulation else None)
        self._remember(policies, disk)
        self._watch_over(link, spool, policies)

    def _watch_over(self, link: Link, spool: Spool, policies: PolicyStore) -> None:
        """Let the housekeeping see what it reports of, from the end of the start on."""
        self._stack.callback(self.care.close)
        self.care.connect(
            link=link,
            spool=spool,
            policies=policies,
            readers=self._readers,
            locks_failed=lambda: self.agent.locks_failed,
        )

    def _codes(self, disk: ThreadPoolExecutor) -> Codes:
        doors = [door.id for door in self.settings.doors]
        codes = Codes.of(
            self.settings.data,
            doors,
            self._identity.lookup_key,
            clock=self.clock,
            tell=self.inbox.put,
            disk=disk,
        )
        codes.load()
        return codes

    def _simulation(self, factory: Any) -> Any:
        """The one place where a simulation enters: before reader and hardware are made."""
        if not self.settings.simulated:
            return None
        from kokubus_edge.simulate.control import Control  # noqa: PLC0415 - not at a real door
        from kokubus_edge.simulate.site import attach  # noqa: PLC0415 - not at a real door

        simulation = attach(self.settings, factory)
        self._stack.callback(Control(simulation, self.settings.control).close)
        return simulation

    def _link(self) -> tuple[Link, Spool]:
        settings, clock = self.settings, self.clock
        link = Link(
            Broker(
                device=settings.device,
                host=settings.hub.host,
                port=settings.hub.port,
                tls=partial(_tls, self._identity, clock) if settings.hub.tls else None,
                boot=clock.boot,
                version=version("kokubus"),
                transport=settings.hub.transport,
            ),
            receive=Ear(settings.device, self.care.keys, self.inbox.put, self.care.keys.used),
            tell=self.inbox.put,
            now=clock.now,
            overhear=self.care.recorder.hear,
        )
        spool = Spool(
            settings.data / "spool.db",
            device=settings.device,
            clock=clock,
            send=partial(link.send, bulk=True),
            tell=self.inbox.put,
            sizes=Sizes(limit=settings.spool_limit),
        )
        self._stack.callback(spool.close)
        self._stack.callback(link.close)
        return link, spool

    def _read_badges(self, factory: Any) -> None:
        identity = self._identity
        sealer = Sealer(identity.sealing_key, identity.lookup_key, self.clock.mono)
        for door in self.settings.doors:
            for reader in door.reader:
                name = f"{reader.kind} {reader.side}"
                saw = partial(self._saw, sealer, door.id, reader.side, name)
                made = make_reader(reader, door, factory)
                thread = ReaderThread(
                    made, saw, name=f"reader {door.id} {name}", poll_ms=poll_ms(reader)
                )
                self._readers[f"{door.id} {name}"] = thread
                self._stack.callback(thread.stop)
                thread.start()

    def _saw(
        self, sealer: Sealer, door: str, side: Side, reader: str, happening: ReaderHappening
    ) -> None:
        """In the reader's thread: a sighting becomes a tap with its id, its UID sealed at once."""
        match happening:
            case Credential():
                tap = new_tap_id(self.clock)
                seen = BadgeSeen(
                    door=door,
                    tap=tap,
                    lookup=sealer.lookup(happening),
                    sealed=sealer.seal(happening, tap),
                    side=side,
                    assurance=happening.assurance,
                    typed=happening.tech == PIN,
                )
                self.inbox.put(seen)
            case Code(digits):
                self.inbox.put(CodeEntered(door=door, side=side, digits=digits))
            case Misread():
                self.inbox.put(BadgeMisread(door))
            case Health():
                self.inbox.put(ReaderTrouble(door, reader, happening))

    def _sense(self, hardware: Hardware, measured: Measured | None) -> None:
        self._sensing = Sensing(self.settings, hardware, self.inbox.put, self.clock, measured)
        self._stack.callback(self._sensing.close)
        self._sensing.start()

    def health(self) -> dict[str, Health]:
        """How every reader and sensor is, by its name; from any thread."""
        readers = {f"reader {name}": thread.health for name, thread in self._readers.items()}
        sensors = {f"sensor {name}": health for name, health in self._sensing.health().items()}
        return readers | sensors

    def _remember(self, policies: PolicyStore, disk: ThreadPoolExecutor) -> None:
        """Keep the policy's age and the last trusted time on disk, every few minutes."""
        stopping = Event()

        def remember() -> None:
            while not stopping.wait(REMEMBER_MS / 1000):
                policies.remember()
                disk.submit(self.clock.remember)

        thread = Thread(target=remember, name="remember", daemon=True)
        self._stack.callback(thread.join)
        self._stack.callback(stopping.set)
        thread.start()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"{path}: cannot be made a folder: {error.strerror}; the agent's user must own it"
        raise SettingsError(said) from error


def _tls(identity: Identity, clock: DeviceClock) -> Any:
    dates = clock.trust() is not Clock.UNTRUSTED
    return tls_context(identity.ca, identity.certificate, identity.key, dates=dates)
