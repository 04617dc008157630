"""What keeps a door going for years: watchdog, doctor's desk, orders, renewal, updates.

Made before the parts it looks after, and connected to them once they exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from threading import Event, Thread
from typing import Any, Protocol

import structlog

from kokubus.messages import CertificateWanted, OrderDone
from kokubus.wire import encode_up, up_topic
from kokubus_edge import boots, remote, systemd, updating
from kokubus_edge.clock import DeviceClock
from kokubus_edge.desk import Desk
from kokubus_edge.hub_keys import HubKeys
from kokubus_edge.identity import Identity
from kokubus_edge.inbox import Say
from kokubus_edge.link import Link
from kokubus_edge.orders import Orders
from kokubus_edge.policy_store import PolicyStore
from kokubus_edge.recording import Recorder
from kokubus_edge.settings import Settings
from kokubus_edge.site_file import SiteFile
from kokubus_edge.spool import Spool
from kokubus_edge.trust import Trust
from kokubus_edge.vitals import READER_MS, SPOOL_MS, Vitals

log = structlog.get_logger(__name__)

TURN_S = 5.0
PROVEN_MS = 20_000
"""An agent that has been connected and getting on for so long proves its release."""


class ReaderState(Protocol):
    """A reader's thread, as far as it is looked after."""

    @property
    def standing_ms(self) -> int:
        """Since its last poll ended."""

    @property
    def health(self) -> Any:
        """``ok`` and ``problem``."""


class Care:
    """Everything here runs in threads of its own and tells the loop through its inbox."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        clock: DeviceClock,
        tell: Callable[[object], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._started = clock.mono()
        self._proven = False
        self._linked_at: int | None = None
        self._stopping = Event()
        self._slow = ThreadPoolExecutor(1, "care")
        self.recorder = Recorder()
        self.vitals = Vitals(partial(systemd.notify, "WATCHDOG=1"))
        self.keys = HubKeys(identity.kid, identity.signing_key, clock.mono, self._promoted)
        if identity.following is not None:
            self.keys.announce(*identity.following)
        self.orders = Orders(
            remote.deeds(settings, self.status, tell), tell=tell, thread=self._slow
        )
        self.trust = Trust(
            identity,
            self.keys,
            tell=tell,
            send=self._ask,
            now=clock.now,
            disk=self._slow,
        )
        self.site = SiteFile(settings, tell=tell, disk=self._slow)
        self._thread = Thread(target=self._run, name="housekeeping", daemon=True)

    def connect(
        self,
        *,
        link: Link,
        spool: Spool,
        policies: PolicyStore,
        readers: Mapping[str, ReaderState],
        locks_failed: Callable[[], list[str]],
    ) -> None:
        """Begin to look after these."""
        self._link, self._spool, self._policies = link, spool, policies
        self._readers, self._locks_failed = readers, locks_failed
        self.vitals.watch("spool", lambda: spool.standing_ms, SPOOL_MS)
        for name, reader in readers.items():
            self.vitals.watch(f"reader {name}", partial(_standing, reader), READER_MS)
        boots.note(self._settings.data, self._clock)
        self.site.started()
        self._desk = Desk(self._settings.data, self.status, self.recorder)
        self._thread.start()

    def close(self) -> None:
        """Stop; what was ordered and is under way is not waited for."""
        self._stopping.set()
        if self._thread.is_alive():
            self._desk.close()
            self._thread.join()
        self._slow.shutdown(wait=False, cancel_futures=True)

    def status(self) -> dict[str, Any]:
        """How the agent is, for `kokubus_edge.doctor`: JSON, no secret, no badge."""
        policy = self._policies.policy
        return {
            "version": version("kokubus"),
            "up_ms": self._clock.mono() - self._started,
            "boot": self._clock.boot,
            "simulated": self._settings.simulated,
            "stuck": self.vitals.stuck(),
            "linked": self._link.up,
            "clock": str(self._clock.trust()),
            "pending": self._spool.pending,
            "stalled_ms": self._spool.stalled_ms,
            "locks_failed": self._locks_failed(),
            "readers": {name: _health(reader) for name, reader in self._readers.items()},
            "policy": None if policy is None else self._policy(policy),
        }

    def _policy(self, policy: Any) -> dict[str, Any]:
        number = policy.number
        return {
            "epoch": number.epoch,
            "n": number.n,
            "age_ms": self._policies.age_ms(),
            "max_age_ms": policy.max_age_ms,
        }

    def _run(self) -> None:
        while not self._stopping.wait(TURN_S):
            try:
                self._turn()
            except Exception:
                log.exception("housekeeping_failed")

    def _turn(self) -> None:
        told = updating.take_result(self._settings.data)
        if told and told["order"]:
            self._tell(Say(OrderDone, told))
        if self._link.up:
            self.trust.look()
        if not self.vitals.stuck() and self._clock.mono() - self._started >= PROVEN_MS:
            self.site.proved()
        self._prove()

    def _prove(self) -> None:
        """Once a start, so that a card is not worn by it."""
        well = self._link.up and not self.vitals.stuck()
        now = self._clock.mono()
        self._linked_at = (self._linked_at or now) if well else None
        if self._proven or self._linked_at is None or now - self._linked_at < PROVEN_MS:
            return
        updating.healthy(self._settings.data, version("kokubus"))
        self._proven = True

    def _ask(self, wish: CertificateWanted) -> bool:
        return self._link.send(up_topic(self._settings.device, wish.kind), encode_up(wish))

    def _promoted(self, kid: str) -> None:
        self.trust.promoted(kid)


def _standing(reader: ReaderState) -> int:
    return reader.standing_ms


def _health(reader: ReaderState) -> dict[str, Any]:
    return {"ok": reader.health.ok, "problem": reader.health.problem}
