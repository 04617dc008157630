"""Ends what the demo started if the demo itself is killed: run as a script, with a mark.

Whatever the demo starts carries the mark in its environment, from before its first instruction.
The end of stdin, which the kernel brings about however the demo ends, ends all that still carry
it. Standard library only, so that it is there before anything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

VARIABLE = "KOKUBUS_DEMO_MARK"
PATIENCE_S = 6.0
STEP_S = 0.05
BIRTH_S = 0.5
"""A process that was just forked carries the mark only once it runs its own program."""


def watch(mark: str) -> None:
    """Wait for the end of stdin, then end all that carry the mark."""
    sys.stdin.read()
    began, asked = time.monotonic(), set[int]()
    while (left := marked(mark)) or time.monotonic() < began + BIRTH_S:
        late = time.monotonic() > began + PATIENCE_S
        for process in left if late else left - asked:
            tell(process, signal.SIGKILL if late else signal.SIGTERM)
        asked |= left
        time.sleep(STEP_S)


def marked(mark: str) -> set[int]:
    """The processes that carry the mark."""
    wanted = f"{VARIABLE}={mark}".encode()
    return {int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _has(folder, wanted)}


def tell(process: int, number: int) -> None:
    """Send a signal, if there still is somebody to hear it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _has(folder: Path, wanted: bytes) -> bool:
    try:
        return wanted in (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it has just ended, or is somebody else's


if __name__ == "__main__":
    for deaf in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(deaf, signal.SIG_IGN)
    watch(sys.argv[1])
