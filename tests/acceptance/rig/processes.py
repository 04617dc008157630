"""Processes that are started, killed, stopped dead and started again, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

GRACE_S = 60


class Running(Protocol):
    """`subprocess.Popen`, as far as it is used here."""

    @property
    def pid(self) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float) -> int: ...


class Process:
    """One command; its output is appended to ``log``; ``environ`` is read at every start."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._command = list(command)
        self.environ = os.environ | (environ or {})
        self._cwd = cwd
        self._running: Running | None = None
        self.log = log

    def start(self) -> None:
        """Start it; it must not be running."""
        assert self._running is None, f"{self.log.stem} is running already"
        self._running = self._launch()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal: SIGSTOP and SIGCONT, for example."""
        assert self._running is not None, f"{self.log.stem} is not running"
        self._running.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: it has no chance to say or save anything. Nothing happens if it has ended."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(GRACE_S)
            self._running = None

    def stop(self) -> int:
        """SIGTERM; its exit code once it has ended, SIGKILL if it does not."""
        running = self._running
        if running is None:
            return 0
        running.send_signal(signal.SIGCONT)
        running.terminate()
        try:
            return running.wait(GRACE_S)
        finally:
            self.kill()

    def _launch(self) -> Running:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self._command, stdout=output, stderr=output, env=self.environ, cwd=self._cwd
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._running is not None, f"{self.log.stem} is not running"
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._running is not None and self._running.poll() is None

    def said(self, words: str) -> int:
        """How often these words stand in its log."""
        return self.log.read_text("utf-8", "replace").count(words) if self.log.exists() else 0
