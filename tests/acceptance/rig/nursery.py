"""Agents by the dozen: each a process of its own, forked from one that has loaded the program.

Loading it costs a second of this machine, running it hardly anything. What a process does from
its first line on (`tests.acceptance.rig.lab.main`) is the same.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.acceptance.rig.processes import Process


class Nursery:
    """Forks agents until `close`; those must have ended by then."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "tests.acceptance.rig.nursery"]
        pipe = subprocess.PIPE
        self._parent = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=os.environ | environ)

    def bear(self, argv: Sequence[str], log: Path) -> Child:
        """A new process that runs ``kokubus edge`` with these arguments."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({"argv": list(argv), "log": str(log)}).encode() + b"\n")
        self._parent.stdin.flush()
        return Child(int(self._parent.stdout.readline()))

    def close(self) -> None:
        """End the one they come from."""
        self._parent.communicate()


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
            raise subprocess.TimeoutExpired(["agent"], timeout)
        return 0

    def __del__(self) -> None:
        os.close(self._handle)


class Forked(Process):
    """A `Process` that a nursery bears; ``argv`` are those of ``kokubus edge``."""

    def __init__(self, nursery: Nursery, argv: Sequence[str], log: Path) -> None:
        super().__init__(argv, log)
        self._nursery = nursery

    def _launch(self) -> Child:
        return self._nursery.bear(self._command, self.log)


def main() -> None:
    """Fork an agent a line; say its process id."""
    from tests.acceptance.rig import lab  # noqa: PLC0415 - what the fork has loaded already

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    for line in sys.stdin:
        born = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            output = os.open(born["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
                os.dup2(stream, number)
            code = 1
            try:
                code = lab.main(born["argv"])
            finally:
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
