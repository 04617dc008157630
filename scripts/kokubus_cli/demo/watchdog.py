"""Ends what the demo started if the demo itself is killed: run as a script, told on its stdin.

``+PGID`` and ``-PGID`` a line, as process groups come and go. The end of stdin, which the kernel
brings about whatever killed the demo, ends every group that is left. Standard library only, so
that it is there before anything else.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PATIENCE_S = 6.0


def watch() -> None:
    """Follow stdin, then end what is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        number = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(number)
    end(groups)


def end(groups: set[int]) -> None:
    """Ask politely, then not."""
    for group in groups:
        tell(group, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while any(tell(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in groups:
        tell(group, signal.SIGKILL)


def tell(group: int, number: int) -> bool:
    """Send a signal to a process group; whether there was anybody to hear it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    for deaf in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(deaf, signal.SIG_IGN)
    watch()
