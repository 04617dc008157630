"""The last policy a door was given: checked by its hash, on disk, and never younger than it is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import structlog

from kokubus.downlinks import PolicyDelta, PolicyRenewed, PolicySnapshot
from kokubus.errors import PolicyError
from kokubus.happenings import PolicyChanged
from kokubus.messages import Instant, PolicyNumber
from kokubus.policy_book import Book, read
from kokubus.rights import Policy
from kokubus.wire import Down
from kokubus_edge.clock import Timepiece
from kokubus_edge.policy_file import UNREADABLE, Held, PolicyFile, hold, lifetime_ms
from kokubus_edge.trouble import Trouble

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PolicyStored:
    """This policy is in force and on the disk: time to say `PolicyApplied`."""

    number: PolicyNumber
    sha256: str


@dataclass(frozen=True, slots=True)
class PolicyMissing:
    """What came does not fit what we have: time to say `PolicyWanted`."""

    have: PolicyNumber | None


Tell: TypeAlias = Callable[[PolicyChanged | PolicyStored | PolicyMissing | Trouble], None]


class PolicyStore:
    """Applies what the hub signed, away from the agent's loop.

    ``disk`` runs everything that waits: give it one worker. ``tell`` is called from there with
    `PolicyChanged` once a policy may be used, `PolicyStored` once it is on disk, and
    `PolicyMissing` on a gap. A policy's age is counted by the wall clock or by accumulated
    uptime, whichever is more, and each boot adds to it: pulling the plug revives nothing.
    """

    def __init__(self, folder: Path, *, clock: Timepiece, tell: Tell, disk: Executor) -> None:
        self._file = PolicyFile(folder, clock)
        self._clock = clock
        self._tell = tell
        self._disk = disk
        self._held: Held | None = None
        self._stored = True
        self._troubles: set[str] = set()

    @property
    def have(self) -> PolicyNumber | None:
        """The number of the policy in force."""
        held = self._held
        return held.number if held else None

    @property
    def policy(self) -> Policy | None:
        """The policy in force; whether it is stale is for `decide` to say, by `age_ms`."""
        held = self._held
        return held.policy if held else None

    def age_ms(self) -> int:
        """Since the hub last stood by this policy; 0 without one."""
        held = self._held
        return held.age_ms(self._clock) if held else 0

    def load(self) -> Policy | None:
        """Read what is on disk. Waits for it: call it before the loop begins.

        A damaged file is moved aside and reported; the door then has no policy.
        """
        try:
            self._held = self._file.read()
        except UNREADABLE as error:
            self._refuse_file(error)
        self._guarded(self._remember)  # or the next of many quick boots would not add up
        self._say_in_force()
        return self.policy

    def take(self, down: Down) -> None:
        """Apply a verified snapshot, delta or renewal; never waits."""
        self._disk.submit(self._guarded, lambda: self._take(down))

    def remember(self) -> None:
        """Keep the policy's age, or the policy if the disk refused it before; never waits.

        To be called every `policy_file.REMEMBER_MS`.
        """
        self._disk.submit(self._guarded, self._remember)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except PolicyError as error:
            log.warning("policy_refused", why=str(error)[:300])
            self._tell(PolicyMissing(self.have))
        except Exception:  # a future nobody asks would swallow it
            log.exception("policy_failed")

    def _take(self, down: Down) -> None:
        message = down.message
        if not isinstance(message, PolicySnapshot | PolicyDelta | PolicyRenewed):
            return
        if self._held and message.number < self._held.number:
            log.info("policy_older", number=str(message.number), have=str(self.have))
            self._say_stored()  # a hub restored from a backup has to learn how far doors are
        elif self._held and self._is_held(message):
            self._stand_by(self._held, message.issued_at, down.expires_at)
            if not isinstance(message, PolicyRenewed):
                self._say_stored()
        else:
            self._try(message, lifetime_ms(message.issued_at, down.expires_at))

    def _try(self, message: PolicySnapshot | PolicyDelta | PolicyRenewed, lifetime: int) -> None:
        try:
            self._apply(message, self._book(message, lifetime))
        except PolicyError:
            base = message.base if isinstance(message, PolicyDelta) else message.number
            if base == self.have:  # a restored hub has used our number for something else
                self._say_stored()
            raise

    def _is_held(self, message: PolicySnapshot | PolicyDelta | PolicyRenewed) -> bool:
        held = self._held
        return bool(held and (message.number, message.sha256) == (held.number, held.sha256))

    def _book(self, message: PolicySnapshot | PolicyDelta | PolicyRenewed, lifetime: int) -> Book:
        """What the message makes of what we have; PolicyError if that is not possible."""
        held, number = self._held, message.number
        match message:
            case PolicySnapshot(content=content):
                return read(content, number, lifetime)
            case PolicyDelta(base=base, put=put, drop=drop) if held and base == held.number:
                return held.book.changed(put, drop, number, lifetime)
        raise PolicyError(f"{message.kind} of {message.number} does not fit {self.have}")

    def _apply(self, message: PolicySnapshot | PolicyDelta | PolicyRenewed, book: Book) -> None:
        self._held = hold(
            book,
            message.number,
            message.sha256,
            issued_at=message.issued_at,
            since=self._clock.mono(),
        )
        self._stored = False
        self._tell(PolicyChanged(self._held.policy))
        self._say_in_force(message.kind)
        self._remember()

    def _stand_by(self, held: Held, issued_at: Instant, expires_at: Instant) -> None:
        """The hub repeats that this policy holds; an old repetition makes nothing younger."""
        if issued_at <= held.issued_at:
            return
        self._held = held.renewed(issued_at, expires_at, self._clock.mono())
        if self._held.policy is not held.policy:
            self._tell(PolicyChanged(self._held.policy))
        self._remember()

    def _remember(self) -> None:
        held = self._held
        if held is None:
            return
        try:
            (self._file.write_age if self._stored else self._file.write)(held)
        except OSError as error:
            log.warning("policy_not_stored", error=str(error))
            self._trouble("policy_not_stored", str(error))
            return
        if not self._stored:
            self._stored = True
            self._say_stored()
        self._untrouble()

    def _say_stored(self) -> None:
        if self._held and self._stored:
            self._tell(PolicyStored(self._held.number, self._held.sha256))

    def _say_in_force(self, through: str = "file") -> None:
        """The line that answers "has the door this right?"; nobody's badge is in it."""
        if self._held:
            number, rights = self._held.number, len(self._held.policy.content.rights)
            log.info(
                "policy_in_force", epoch=number.epoch, n=number.n, rights=rights, through=through
            )

    def _refuse_file(self, error: Exception) -> None:
        log.error("policy_damaged", error=str(error)[:300])
        self._trouble("policy_damaged", "the stored policy cannot be read; asking for another")
        try:
            self._file.set_aside()
        except OSError as refused:
            log.warning("policy_not_moved", error=str(refused))

    def _trouble(self, alarm: str, detail: str) -> None:
        if alarm not in self._troubles:
            self._troubles.add(alarm)
            self._tell(Trouble(alarm, active=True, detail=detail[:300]))

    def _untrouble(self) -> None:
        for alarm in self._troubles:
            self._tell(Trouble(alarm, active=False))
        self._troubles.clear()
