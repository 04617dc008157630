"""What the agent minds besides its doors: is the time known, does the hub stand by the policy?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import structlog

from kokubus.messages import Clock, Instant, PolicyWanted, TimeWanted
from kokubus_edge.atomic import write_atomically
from kokubus_edge.clock import DeviceClock
from kokubus_edge.policy_store import PolicyStore
from kokubus_edge.time_asking import TimeAsking
from kokubus_edge.trouble import Trouble

WANT_EVERY_MS = 10_000
WANT_AGAIN_MS = 60_000
"""Whoever asks twice within it was not helped by a difference."""
WORD_MS = 60_000
"""So long after it connected a door waits for the hub to stand by its policy."""
HOUR_MS = 3_600_000
SILENCE = (("hub_silent", 1), ("hub_silent_long", 2), ("policy_stale", 3))
"""Alarms by thirds of a policy's life: at 24, 48 and 72 hours of the usual one."""
BYGONES = (
    "codes_damaged",
    "disk_full",
    "disk_stalled",
    "policy_damaged",
    "policy_not_stored",
    "spool_full",
)
"""Alarms that whoever raises them remembers in memory alone: the disk may be what is wrong."""
BYGONE_MS = 60_000
"""By then each of them would have been raised again."""
log = structlog.get_logger(__name__)


class Minding:
    """Asked once a second what there is to say; waits for nothing.

    Which alarms stand is kept in ``path``, so that they also end after a restart.
    """

    def __init__(
        self, path: Path, *, clock: DeviceClock, policies: PolicyStore, disk: Executor
    ) -> None:
        self._path = path
        self._clock = clock
        self._policies = policies
        self._disk = disk
        self._asking = TimeAsking()
        self._standing = _read(path)
        self._word_by: int | None = None
        self._wanted: int | None = None
        self._bygone_at: int | None = clock.mono() + BYGONE_MS
        self._raised: set[str] = set()

    def raised(self, alarm: str) -> None:
        """The device has said that this is wrong, since the agent's start."""
        self._raised.add(alarm)

    def look(self, *, linked: bool) -> Iterator[TimeWanted | PolicyWanted | Trouble]:
        """What is to be asked and what is to be reported now."""
        trust, mono = self._clock.trust(), self._clock.mono()
        yield from self._changed("clock_untrusted", active=trust is Clock.UNTRUSTED)
        yield from self._silence()
        yield from self._bygones(mono)
        if linked and self._asking.due(trust, mono):
            yield self._asking.ask(mono)
        if linked and self._word_by is not None and mono >= self._word_by:
            self._word_by = None
            yield self._wish(mono)

    def connected(self) -> None:
        """The link is up: the hub should say soon whether the policy still holds."""
        self._word_by = self._clock.mono() + WORD_MS

    def heard_of_policy(self) -> None:
        """The hub has said something about the policy."""
        self._word_by = None

    def wish(self) -> PolicyWanted | None:
        """What to ask about a policy that does not fit; None if that was asked a moment ago."""
        mono = self._clock.mono()
        if self._wanted is not None and mono - self._wanted < WANT_EVERY_MS:
            return None
        return self._wish(mono)

    def time_told(self, nonce: str, at: Instant) -> None:
        """The hub's signed answer."""
        asked = self._asking.answered(nonce)
        if asked is not None and self._clock.told(at, asked):
            log.info("time_told", at=at)

    def needs_all(self) -> bool:
        """Whether only a snapshot helps: without a policy, or once a difference did not."""
        now, before = self._clock.mono(), self._wanted
        return self._policies.have is None or (before is not None and now - before < WANT_AGAIN_MS)

    def _wish(self, mono: int) -> PolicyWanted:
        self._wanted = mono
        return PolicyWanted(at=self._clock.now(), have=self._policies.have)

    def _silence(self) -> Iterator[Trouble]:
        policy = self._policies.policy
        life = policy.max_age_ms if policy else None
        age = self._policies.age_ms() if life else 0
        for alarm, thirds in SILENCE:
            active = life is not None and 3 * age >= thirds * life
            yield from self._changed(alarm, active=active, detail=_said(age, life))

    def _bygones(self, mono: int) -> Iterator[Trouble]:
        """Once a start: what may still stand from before it and was not raised again is over."""
        if self._bygone_at is None or mono < self._bygone_at:
            return
        self._bygone_at = None
        for alarm in BYGONES:
            if alarm not in self._raised:
                yield Trouble(alarm, active=False)

    def _changed(self, alarm: str, *, active: bool, detail: str = "") -> Iterator[Trouble]:
        if active == (alarm in self._standing):
            return
        self._standing = self._standing ^ {alarm}
        self._disk.submit(_keep, self._path, sorted(self._standing))
        yield Trouble(alarm, active, detail if active else "")


def _said(age: int, life: int | None) -> str:
    if life is None:
        return ""
    return f"{age // HOUR_MS} h without the hub; after {life // HOUR_MS} h only keyholders get in"


def _read(path: Path) -> frozenset[str]:
    try:
        return frozenset(str(alarm) for alarm in json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return frozenset()


def _keep(path: Path, standing: list[str]) -> None:
    try:
        write_atomically(path, json.dumps(standing).encode())
    except OSError as error:
        log.warning("alarms_not_kept", error=str(error))
