"""The agent: one inbox, one loop.

gpiozero, the readers, the spool and the link live in threads of their own and do nothing but
put happenings into the inbox. The loop takes one at a time, lets `kokubus.door.react` say
what is to be done, and does it. Nothing in the loop waits for a disk or a network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from kokubus import wire
from kokubus.door import Door, DoorSpec, anew, idle, next_wake, react
from kokubus.downlinks import (
    AccessDecided,
    CertificateIssued,
    HubKeyAnnounced,
    Order,
    Receipt,
    SiteGiven,
    TimeTold,
    UnlockDoor,
)
from kokubus.happenings import (
    Act,
    Answered,
    Commanded,
    Happening,
    Judge,
    Lock,
    Now,
    ReaderChanged,
    Send,
    Ticked,
)
from kokubus.messages import Clock, DeviceAlarmed, Fact, PolicyApplied, SensorsRead
from kokubus_edge.clock import Timepiece
from kokubus_edge.commanding import Commands
from kokubus_edge.hands import Hands
from kokubus_edge.health import Health
from kokubus_edge.inbox import ReaderTrouble, Readings, Say, SensorTrouble, Stop, new_tap_id
from kokubus_edge.link import LinkDown, LinkUp
from kokubus_edge.link_ear import HubSaid
from kokubus_edge.lock_troubles import LockTroubles
from kokubus_edge.policy_store import PolicyMissing, PolicyStore, PolicyStored
from kokubus_edge.spool_orders import CommandKept
from kokubus_edge.telling import Telling
from kokubus_edge.trouble import Trouble
from kokubus_edge.troubles import Troubles

__all__ = ["Agent", "ReaderTrouble", "Readings", "Stop", "new_tap_id"]
TICK_MS = 1_000
log = structlog.get_logger(__name__)


class Agent:
    """The loop and its doors; any thread may put happenings into ``inbox``.

    ``alive`` is called once a second, ``overhear`` with every fact as it is recorded: for a
    watchdog and for a simulation.
    """

    def __init__(
        self,
        device: str,
        doors: Iterable[DoorSpec],
        *,
        inbox: SimpleQueue[object],
        clock: Timepiece,
        policies: PolicyStore,
        alive: Callable[[], None] = lambda: None,
        overhear: Callable[[Fact], None] | None = None,
    ) -> None:
        self._device = device
        self._doors = {spec.id: Door(spec, policies.policy) for spec in doors}
        self._clock = clock
        self._policies = policies
        self._alive = alive
        self._overhear = overhear
        self._inbox = inbox
        self._commands = Commands()
        self._locks = LockTroubles(self._lock_alarm)
        self._readers, self._sensors = Troubles(), Troubles()
        self._ticked = -TICK_MS
        self._hands: Hands
        self._telling: Telling

    def connect(self, hands: Hands) -> None:
        """Give the loop its hands."""
        self._hands = hands
        self._telling = Telling(self._device, hands.link, hands.spool, self._overhear)

    def run(self) -> None:
        """Take happenings until `Stop`."""
        while True:
            try:
                happening = self._inbox.get(timeout=self._patience_s())
            except Empty:
                happening = Ticked()
            if isinstance(happening, Stop):
                return
            self.step(happening)

    def step(self, happening: object) -> None:
        """One turn of the loop. A fault in one turn is logged, it never stops the door."""
        try:
            self._take(happening)
            if self._clock.mono() - self._ticked >= TICK_MS:
                self._tick()
        except Exception:
            log.exception("turn_failed", happening=type(happening).__name__)

    @property
    def locks_failed(self) -> list[str]:
        """Doors whose lock could not be moved."""
        return self._locks.doors

    @property
    def doors(self) -> Mapping[str, Door]:
        """The doors as they stand."""
        return self._doors

    def _patience_s(self) -> float:
        """Until the next deadline, pulse end or tick."""
        mono = self._clock.mono()
        wakes = [wake for door in self._doors.values() if (wake := next_wake(door)) is not None]
        return max(0, min([*wakes, self._ticked + TICK_MS]) - mono) / 1000

    def _take(self, happening: object) -> None:
        match happening:
            case HubSaid(down):
                self._heard(down)
            case LinkUp() | LinkDown():
                self._linked(up=isinstance(happening, LinkUp))
            case CommandKept(command, fresh):
                self._execute(command, fresh=fresh)
            case PolicyStored(number, sha256):
                self._say(PolicyApplied, number=number, sha256=sha256)
            case PolicyMissing():
                self._want_policy()
            case Trouble(alarm, active, detail):
                self._hands.minding.raised(alarm)
                self._say(DeviceAlarmed, alarm=alarm, active=active, detail=detail)
            case ReaderTrouble():
                self._reader_changed(happening)
            case SensorTrouble(sensor, health):
                self._alarmed("sensor_silent", self._sensors.report("", sensor, health))
            case Readings(values):
                self._say(SensorsRead, readings=values)
            case Say(fact, fields):
                self._say(fact, **fields)
            case _:
                self._happened(happening)

    def _reader_changed(self, told: ReaderTrouble) -> None:
        news = self._readers.report(told.door, told.reader, told.health)
        self._alarmed("reader_dead", news, told.door)
        self._happened(ReaderChanged(told.door, self._readers.works(told.door)))

    def _alarmed(self, alarm: str, news: Iterable[Health], door: str | None = None) -> None:
        for health in news:
            active, detail = not health.ok, health.problem
            self._say(DeviceAlarmed, alarm=alarm, active=active, detail=detail, door=door)

    def _happened(self, happening: Any) -> None:
        """Something at one door, or at all of them."""
        name = getattr(happening, "door", None)
        doors = [self._doors[name]] if name in self._doors else list(self._doors.values())
        for door in doors:
            self._react(door, happening)

    def _react(self, door: Door, happening: Happening) -> None:
        """One door's reaction; a fault locks it and lets it begin anew, and no other door."""
        try:
            after, acts = react(door, happening, self._now())
        except Exception:
            log.exception("door_failed", door=door.spec.id, happening=type(happening).__name__)
            after, acts = anew(door), [Lock()]
        self._doors[door.spec.id] = after
        for act in acts:
            self._perform(door.spec.id, act)

    def _perform(self, door: str, act: Act) -> None:
        """One act; if it fails, those after it are still done: one of them may be the lock."""
        try:
            if isinstance(act, Send):
                self._telling.record(act.fact)
            elif isinstance(act, Judge):
                self._hands.codes.take(act.entered, act.code_from)
            else:
                self._hands.wires.perform(door, act)
        except Exception as error:
            log.exception("act_failed", door=door, act=type(act).__name__)
            self._locks.failed(door, act, f"{type(error).__name__}: {error}"[:300])
        else:
            self._locks.done(door, act)

    def _lock_alarm(self, door: str, active: bool, detail: str) -> None:
        self._say(DeviceAlarmed, alarm="lock_failed", active=active, door=door, detail=detail)

    def _heard(self, down: wire.Down) -> None:
        message = down.message
        match message:
            case AccessDecided():
                if message.recorded:
                    self._hands.spool.receipt(message.epoch, [(message.seq, message.seq)])
                if self._outlived(down):  # every answer, where one of the two clocks is wrong
                    log.info("answer_expired", late_ms=self._now().at - down.expires_at)
                else:
                    self._happened(Answered(message))
            case Receipt():
                self._hands.spool.receipt(message.epoch, message.ranges, message.rejected)
            case UnlockDoor() | Order():
                self._hands.spool.keep_command(*self._commands.heard(message, down.expires_at))
            case CertificateIssued() | HubKeyAnnounced():
                self._hands.trust.take(message)
            case SiteGiven():
                if self._now().trusted and not self._outlived(down):
                    self._hands.site.take(message)
                else:
                    log.info("site_not_taken", why="its expiry is past, or the time is not known")
            case TimeTold():
                self._hands.minding.time_told(message.nonce, down.at)
            case _:
                self._hands.minding.heard_of_policy()
                self._policies.take(down)

    def _outlived(self, down: wire.Down) -> bool:
        """Whether a message is past its expiry; a clock that is not trusted cannot say.

        Its tap's deadline bounds an answer as well, on the monotonic clock.
        """
        now = self._now()
        return now.trusted and now.at >= down.expires_at

    def _execute(self, command: str, *, fresh: bool) -> None:
        """The command's id is on disk: now, and only now, the bolt may move."""
        order, expires_at = self._commands.kept(command)
        if isinstance(order, UnlockDoor):
            self._happened(Commanded(order.door, command, expires_at, fresh))
        elif order is not None:
            self._hands.orders.take(order, expires_at, self._now(), fresh=fresh)

    def _linked(self, *, up: bool) -> None:
        self._hands.spool.linked(up=up)
        if up:
            self._hands.minding.connected()
            if self._policies.have is None:
                self._hands.link.fetch_policy()

    def _want_policy(self) -> None:
        everything, wish = self._hands.minding.needs_all(), self._hands.minding.wish()
        if wish is None:
            return
        self._telling.ask(wish)
        if everything:
            self._hands.link.fetch_policy()

    def _tick(self) -> None:
        self._ticked = self._clock.mono()
        self._happened(Ticked())
        self._hands.wires.refresh()
        self._hands.spool.watch()
        self._locks.look(self._doors, self._ticked)
        for said in self._hands.minding.look(linked=self._hands.link.up):
            if isinstance(said, Trouble):
                self._take(said)
            else:
                self._telling.ask(said)
        if self._hands.site.wants_restart and self._idle():
            self._inbox.put(Stop())
        self._alive()

    def _idle(self) -> bool:
        """Whether nobody would notice that the agent ends and is started again."""
        return all(idle(door, self._clock.mono()) for door in self._doors.values())

    def _say(self, fact: type[Fact], **fields: Any) -> None:
        now = self._now()
        self._telling.record(fact(id=now.fact_id("", 0), at=now.at, **fields))

    def _now(self) -> Now:
        trusted = self._clock.trust() is not Clock.UNTRUSTED  # first: the clock may jump after it
        return Now(
            at=self._clock.now(),
            mono=self._clock.mono(),
            trusted=trusted,
            linked=self._hands.link.up,
            policy_age_ms=self._policies.age_ms(),
            noise=os.urandom(10),
        )
