"""Agents and hub roles by the dozen: each a process of its own, forked from one that is loaded.

Loading the program costs one to three seconds of this machine, running it hardly anything; the
hub's own supervisor forks its roles for the same reason. What a process does from its first line
on (`tests.acceptance.rig.lab.main`, `kokubus_hub.cli.main`) is the same.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from tests.acceptance.rig.processes import Process

ROOT = Path(__file__).resolve().parents[3]
PARTS: Mapping[str, Sequence[str]] = {
    "edge": ("tests.acceptance.rig.lab",),
    "hub": ("kokubus_hub.cli", "kokubus_hub.app", "kokubus_hub.listen", "kokubus_hub.work"),
}
"""What is loaded for each; the first module's ``main(argv)`` is run."""
_ENVIRON = {
    "GPIOZERO_PIN_FACTORY": "mock",
    "OPENBLAS_NUM_THREADS": "1",  # a process with threads is not to be forked
    "PYTHONUNBUFFERED": "1",
}


class Nursery:
    """Forks processes of one of `PARTS` until `close`; they may outlive it."""

    def __init__(self, part: str) -> None:
        command = [sys.executable, "-m", "tests.acceptance.rig.nursery", part]
        pipe, environ = subprocess.PIPE, os.environ | _ENVIRON
        self._parent = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environ, cwd=ROOT)

    def bear(self, argv: Sequence[str], log: Path, environ: Mapping[str, str]) -> Child:
        """A new process with these arguments; its output is appended to ``log``."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        born = {"argv": list(argv), "log": str(log), "environ": dict(environ)}
        self._parent.stdin.write(json.dumps(born).encode() + b"\n")
        self._parent.stdin.flush()
        return Child(int(self._parent.stdout.readline()))

    def close(self) -> None:
        """End the one they come from."""
        self._parent.communicate()


@cache
def nursery(part: str) -> Nursery:
    """The one of this run of the tests; loaded when the first process is asked for."""
    made = Nursery(part)
    atexit.register(made.close)
    return made


class Child:
    """A process that is not our child, with as much of `subprocess.Popen` as is needed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def send_signal(self, number: int) -> None:
        """Nothing happens if it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """0 if it has ended: its real code is its parent's to know."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def wait(self, timeout: float) -> int:
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout)
        return 0

    def __del__(self) -> None:
        os.close(self._handle)


class Forked(Process):
    """A `Process` that the nursery of ``part`` bears; ``argv`` are those of ``kokubus <part>``."""

    def __init__(
        self, part: str, argv: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(argv, log, environ)
        self._part = part

    def _launch(self) -> Child:
        return nursery(self._part).bear(self._command, self.log, self.environ)


def main(part: str) -> None:
    """Fork a process a line; say its process id."""
    first, *_ = [import_module(name) for name in PARTS[part]]
    gc.collect()
    gc.freeze()  # else the first collection of each would copy every shared page
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    for line in sys.stdin:
        born = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(first.main, born)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _live(run: Callable[[Sequence[str]], int], born: Mapping[str, object]) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(str(born["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(stream, number)
        os.environ.clear()
        os.environ.update(born["environ"])  # type: ignore[call-overload]  # names and values
        code = run(born["argv"])  # type: ignore[arg-type]  # as they were given
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
