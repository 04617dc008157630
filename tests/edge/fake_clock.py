"""A clock that moves when a test says so."""

from __future__ import annotations

from dataclasses import dataclass

from kokubus.messages import Clock, Instant


@dataclass
class FakeClock:
    """A `kokubus_edge.clock.Timepiece`."""

    wall: Instant = 1_790_000_000_000
    uptime: int = 50_000
    boot: str = "boot-1"
    believed: Clock = Clock.SYNCED
    heard: tuple[Instant, int] | None = None

    def now(self) -> Instant:
        return self.wall

    def mono(self) -> int:
        return self.uptime

    def trust(self) -> Clock:
        return self.believed

    def told(self, at: Instant, asked: int) -> bool:
        self.heard = (at, asked)
        return True

    def pass_ms(self, ms: int) -> None:
        """Both clocks run."""
        self.wall += ms
        self.uptime += ms

    def reboot(self, boot: str, *, off_ms: int = 0) -> None:
        """The uptime begins again; the wall clock went on (or was set back: negative)."""
        self.boot, self.uptime = boot, 1_000
        self.wall += off_ms
