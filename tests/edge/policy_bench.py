"""A door's policy store, its clock and what it told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from tests.edge.fake_clock import FakeClock

from kokubus.downlinks import PolicyDelta, PolicyRenewed, PolicySnapshot
from kokubus.messages import PolicyNumber
from kokubus.policy import diff, fingerprint
from kokubus.wire import Down
from kokubus_edge.policy_store import PolicyStore, PolicyStored

LIFE_MS = 72 * 3_600_000
OLD = {"doors": {"front": {"rooms": ["hall"]}}, "badges": {}, "rights": {}, "schedules": {}}
NEW = OLD | {"badges": {"abc": {"member": "m-1"}}}


class AtOnce(Executor):
    """Runs everything where it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Door:
    """A policy store with its clock and what it told; `restart` reads the same folder."""

    def __init__(self, folder: Path, clock: FakeClock | None = None) -> None:
        self.folder, self.clock = folder, clock or FakeClock()
        self.told: list[Any] = []
        self.store = PolicyStore(folder, clock=self.clock, tell=self.told.append, disk=AtOnce())
        self.store.load()

    def restart(self) -> Door:
        return Door(self.folder, self.clock)

    def power_cut(self, boot: int, *, off_ms: int) -> Door:
        """The wall clock then says ``off_ms`` more than before, or less."""
        self.clock.reboot(f"boot-{boot + 2}", off_ms=off_ms)
        return self.restart()

    def take(self, message: Any) -> list[Any]:
        """What the message made it tell."""
        before = len(self.told)
        expires_at = message.issued_at + LIFE_MS
        self.store.take(Down("id", message.issued_at, expires_at, message))
        return self.told[before:]

    def snapshot(self, n: int = 1, content: Any = OLD, epoch: int = 1) -> list[Any]:
        return self.take(
            PolicySnapshot(
                number=PolicyNumber(epoch, n),
                sha256=fingerprint(content),
                issued_at=self.clock.now(),
                content=content,
            )
        )

    def delta(self, base: int, n: int, old: Any = OLD, new: Any = NEW) -> list[Any]:
        put, drop = diff(old, new)
        return self.take(
            PolicyDelta(
                base=PolicyNumber(1, base),
                number=PolicyNumber(1, n),
                sha256=fingerprint(new),
                issued_at=self.clock.now(),
                put=put,
                drop=drop,
            )
        )

    def renewed(self, n: int = 1, content: Any = OLD, issued_at: int | None = None) -> list[Any]:
        issued_at = self.clock.now() if issued_at is None else issued_at
        number = PolicyNumber(1, n)
        sha = fingerprint(content)
        return self.take(PolicyRenewed(number=number, sha256=sha, issued_at=issued_at))


def stored(n: int, content: Any, epoch: int = 1) -> PolicyStored:
    return PolicyStored(PolicyNumber(epoch, n), fingerprint(content))
