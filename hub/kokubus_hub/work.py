"""The ``work`` role: what has to be done although nobody waits for an answer.

One loop of small steps; a step that fails is logged and tried again at its next turn, and the
others go on. Metrics have a thread of their own, so that no slow database of theirs delays a
policy.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import structlog
from sqlalchemy import Engine

from kokubus.downlinks import Downlink
from kokubus.messages import Instant
from kokubus_hub import (
    changes,
    database,
    health,
    leading,
    rights_history,
    travel,
    unknown,
    watching,
)
from kokubus_hub.bookings import reconcile
from kokubus_hub.bookings.arrivals import Arrivals
from kokubus_hub.bookings.releasing import Releasing
from kokubus_hub.broker import Broker
from kokubus_hub.calendars.polling import Poller, polling
from kokubus_hub.delivery import Delivery
from kokubus_hub.devices import orders
from kokubus_hub.devices.renewals import LIFE_MS, Renewals
from kokubus_hub.devices.rotation import Rotation
from kokubus_hub.devices.site_files import SiteFiles
from kokubus_hub.keys import Keyring
from kokubus_hub.occupancy import calibrating, history, replay, sensors
from kokubus_hub.people import passes
from kokubus_hub.policies import HOUR_MS, Known
from kokubus_hub.publisher import Publisher
from kokubus_hub.pulse import Pulse
from kokubus_hub.reports import release
from kokubus_hub.seal import Seal
from kokubus_hub.settings import Settings

POLL_S = 0.05
DAY_MS = 86_400_000
LEAD_S = 1.0
log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, whenever no other worker does."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.ask())
    with ExitStack() as stack:
        engine = database.engine(settings.database)
        stack.callback(engine.dispose)
        lock = settings.data_dir / "run" / "work.lock"
        lead = stack.enter_context(leading.candidacy(engine, lock))
        if not _elected(lead, stop, settings):
            return
        publisher = stack.enter_context(Publisher(Broker.of(settings), "hub:work"))
        stack.enter_context(_metrics(engine, settings))
        keyring = Keyring.load(settings.keys_dir)
        poller = Poller(engine, keyring, wall_clock, settings.private_hosts)
        stack.enter_context(polling(poller))
        work = Work(engine, keyring, settings, publisher)
        pulse = stack.enter_context(Pulse(engine))
        _run(work, pulse, lead, stop)


class Stop:
    """Set by a signal's handler, which may hold no lock: hence no `threading.Event`."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        """Ask the loop to end after the step in hand."""
        self.asked = True


@dataclass(slots=True)
class Step:
    """Something to do every ``period_ms``, from the first turn on."""

    name: str
    do: Callable[[Instant], None]
    period_ms: int
    due: Instant = 0
    failing: str = ""

    def turn(self, now: Instant) -> bool:
        """Do it if it is time to; False if it failed. A clock set back delays nothing."""
        if now < self.due <= now + self.period_ms:
            return True
        self.due = now + self.period_ms
        try:
            self.do(now)
        except Exception as error:  # one step's trouble is not the others'
            if self.failing != repr(error):
                log.exception("step_failed", step=self.name)
            self.failing = repr(error)
            return False
        self.failing = ""
        return True


class Work:
    """The steps, wired. `turn` is called often, with whether the database has changed."""

    def __init__(
        self, engine: Engine, keyring: Keyring, settings: Settings, publisher: Publisher
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._keyring = keyring
        self.delivery = Delivery(
            engine,
            Known(keyring),
            Seal(keyring, settings.policy_expiry_hours * HOUR_MS),
            publisher,
            settings.policy_horizon_hours * HOUR_MS,
        )
        self._behind = True
        self._provided = -1
        """The change up to which no guest lacks a pass."""
        self._follow = Step("follow", self.delivery.follow, 0)
        self._settle = Step("deliveries", self._settled, 1_000)
        self._bookings = Step("bookings", self._repair_bookings, 30_000)
        self.steps = self._steps(partial(_send, keyring, publisher))

    def _steps(self, send: Callable[[str, Downlink, Instant], None]) -> tuple[Step, ...]:
        engine, settings = self._engine, self._settings
        watch = watching.Watch(engine, settings.policy_expiry_hours * HOUR_MS)
        rotation = Rotation(settings, engine, self._keyring, send, self.delivery.again)
        return (
            Step("keep_up", self.delivery.keep_up, 0),
            Step("repair", self.delivery.repair, 5_000),
            self._settle,
            self._bookings,
            Step("arrivals", Arrivals(engine).follow, 1_000),
            Step("releasing", Releasing(engine).look, 15_000),
            Step("replay", self._replay, 1_000),
            Step("linger", self._linger, 30_000),
            Step("sensors", sensors.Looking(engine).look, sensors.TURN_MS),
            Step("teach", lambda now: calibrating.teach(engine, now), 60_000),
            Step("commands", lambda now: watching.expire_commands(engine, now), 1_000),
            Step("watch", watch.look, 5_000),
            Step("travel", travel.Travel(engine, settings.car_speed_kmh).look, 2_000),
            Step("reports", release.Releasing(engine).look, 10_000),
            Step("passes", self._passes, 2_000),
            Step("renewals", Renewals(settings, engine, send).turn, 1_000),
            Step("keys", rotation.turn, 2_000),
            Step("site_files", SiteFiles(engine, send).turn, 1_000),
            Step("forget", self._forget, 600_000),
            Step("beat", lambda _: health.beat(settings, "work"), 2_000),
        )

    def turn(self, now: Instant, *, moved: bool) -> None:
        """One turn; a change that could not be followed is followed at the next."""
        if moved or self._behind:
            self._behind = not self._follow.turn(now)
            self._settle.due = now  # a door may have reported
        for step in self.steps:
            step.turn(now)

    def _settled(self, now: Instant) -> None:
        reconcile.settle(self._engine, now, self._settings.policy_horizon_hours * HOUR_MS)

    def _repair_bookings(self, now: Instant) -> None:
        horizon_ms = self._settings.policy_horizon_hours * HOUR_MS
        if reconcile.repair(self._engine, now, horizon_ms) > reconcile.A_STEP:
            self._bookings.due = now

    def _replay(self, now: Instant) -> None:
        with database.reading(self._engine) as connection:
            rooms = replay.dirty_rooms(connection)
        for room in rooms:
            with database.writing(self._engine) as connection:
                replay.replay(connection, room, now)

    def _linger(self, now: Instant) -> None:
        with database.reading(self._engine) as connection:
            rooms = history.silent_rooms(connection, now)
        for room in rooms:
            with database.writing(self._engine) as connection:
                history.linger(connection, room, now)

    def _forget(self, now: Instant) -> None:
        with database.writing(self._engine) as connection:
            replay.forget_snapshots(connection, now)
            unknown.forget(connection, now)
            rights_history.forget(connection, now - self._settings.retention_days * DAY_MS)
            if days := self._settings.estimate_days:
                history.forget(connection, now - days * DAY_MS)
            passes.retire(connection, self._keyring, now)

    def _passes(self, now: Instant) -> None:
        """For guests of calendars; whoever books through the API gets a pass at once."""
        with database.reading(self._engine) as connection:
            change = changes.latest(connection)
            wanted = change != self._provided and passes.wanted(connection, now)
        if wanted:
            with database.writing(self._engine) as connection:
                passes.provide(connection, self._keyring, now)
        self._provided = change


def _send(
    keyring: Keyring, publisher: Publisher, device: str, message: Downlink, now: Instant
) -> None:
    orders.send(keyring, publisher, device, message, now, LIFE_MS)


def wall_clock() -> Instant:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def _metrics(engine: Engine, settings: Settings) -> AbstractContextManager[None]:
    if not settings.influx_url:
        return nullcontext()
    module = import_module(
        "kokubus_hub.metrics.projector"
    )  # its client is loaded only where it is used
    projecting: AbstractContextManager[None] = module.projecting(engine, settings, wall_clock)
    return projecting


def _elected(lead: leading.Lead, stop: Stop, settings: Settings) -> bool:
    while not stop.asked:
        health.beat(settings, "work")
        if lead.held():
            return True
        time.sleep(LEAD_S)
    return False


def _run(work: Work, pulse: Pulse, lead: leading.Lead, stop: Stop) -> None:
    log.info("working")
    asked = time.monotonic()
    while not stop.asked:
        work.turn(wall_clock(), moved=pulse.moved())
        if time.monotonic() - asked >= LEAD_S:
            asked = time.monotonic()
            lead.held()
        time.sleep(POLL_S)
