"""The demo's processes: each in a group of its own, with a log, and gone when the demo is."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from kokubus_cli.demo import watchdog
from kokubus_cli.demo.folder import DemoError

PATIENCE_S = 8.0
STEP_S = 0.05
TAIL = 12


class Ended(Exception):  # noqa: N818 - it is no error
    """Somebody pressed Ctrl-C, or sent SIGTERM or SIGHUP."""


class Processes:
    """Starts processes and ends them all at the end of a ``with`` block: the first one last."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._asked = False
        self._mark = secrets.token_hex(16)

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(watchdog.__file__)), self._mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        names = list(self._children)
        for together in (names[1:], names[:1]):
            for name in together:
                _tell(self._children[name].pid, signal.SIGTERM)
            for name in together:
                self._end(name)
        self._watchdog.communicate()

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start ``name``; what it says goes into ``<name>.log``."""
        self.check()
        with (self._log / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environ, watchdog.VARIABLE: self._mark},
                start_new_session=True,
            )
        self._children[name] = child

    def check(self) -> None:
        """Raise `Ended` if somebody asked for it, `DemoError` if a process is gone."""
        if self._asked:
            raise Ended
        for name, child in self._children.items():
            if child.poll() is not None:
                raise DemoError(self._obituary(name, child.returncode))

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Until ``condition``; DemoError names ``what`` was awaited in vain."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise DemoError(f"{what}: waited {seconds:.0f} s in vain; see {self._log}")
            self.rest(STEP_S)

    def rest(self, seconds: float) -> None:
        """Sleep, but notice at once what `check` notices."""
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, STEP_S))
            self.check()

    def _ask(self, _number: int, _frame: object) -> None:
        self._asked = True

    def _end(self, name: str) -> None:
        child = self._children.pop(name)
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            _tell(child.pid, signal.SIGKILL)
            child.wait()
        _tell(child.pid, signal.SIGKILL)  # the group may outlive its leader

    def _obituary(self, name: str, code: int) -> str:
        path = self._log / f"{name}.log"
        lines = path.read_text("utf-8", "replace").splitlines()[-TAIL:]
        return "\n".join([f"{name} ended by itself with {code}; the end of {path}:", *lines])


def _tell(group: int, number: int) -> None:
    """Send a signal to a process group, if there still is somebody to hear it."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
