"""``kokubus hub run``: the three roles under one supervisor.

What all roles need is loaded once and shared by forking, which saves more than half of the
memory that three separate programs would take. A role that ends is started again, later each
time; when the supervisor is told to stop, or dies, all of them end.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import structlog

from kokubus.errors import KokubusError
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings

ROLES = {"serve": "kokubus_hub.app", "listen": "kokubus_hub.listen", "work": "kokubus_hub.work"}
PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
SETTLED_S = 60.0
"""A role that ran so long is started again at once."""
GRACE_S = 10.0
_POLL_S = 0.1
_PARENT_DIED = 1  # PR_SET_PDEATHSIG, prctl(2)
log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Run all roles until SIGTERM or SIGINT; KokubusError if the hub was never set up."""
    Keyring.load(settings.keys_dir)
    # numpy's algebra would start a thread a core, in every role, for vectors of twenty numbers
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    roles = {name: partial(import_module(module).serve, settings) for name, module in ROLES.items()}
    gc.collect()
    gc.freeze()  # else the first collection of each role would copy every shared page
    Supervisor(roles).run()


@dataclass(slots=True)
class _Child:
    """One role: its process, or when to start the next."""

    pid: int = 0
    since: float = 0.0
    pause: float = PAUSE_S
    due: float = 0.0


class Supervisor:
    """Keeps a process a role; times are monotonic seconds."""

    def __init__(self, roles: Mapping[str, Callable[[], None]], grace_s: float = GRACE_S) -> None:
        self._roles = roles
        self._grace_s = grace_s
        self._children = {role: _Child() for role in roles}
        self._stopping = False

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then every role is told to stop, and waited for."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                self._start(time.monotonic())
                time.sleep(_POLL_S)
                self._reap(time.monotonic())
        finally:
            self._end()

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _start(self, now: float) -> None:
        for role, child in self._children.items():
            if not child.pid and now >= child.due and not self._stopping:
                child.pid, child.since = _fork(role, self._roles[role]), now
                log.info("role_started", role=role, pid=child.pid)

    def _reap(self, now: float) -> None:
        for role, child in self._running():
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            if now - child.since >= SETTLED_S:
                child.pause = PAUSE_S
            child.pid, child.due = 0, now + child.pause
            child.pause = min(2 * child.pause, LONGEST_PAUSE_S)
            if not self._stopping:
                code = os.waitstatus_to_exitcode(status)
                log.error("role_ended", role=role, code=code, again_in_s=child.due - now)

    def _end(self) -> None:
        self._tell(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        while any(self._running()) and time.monotonic() < deadline:
            time.sleep(_POLL_S / 2)
            self._reap(time.monotonic())
        self._tell(signal.SIGKILL)
        for _, child in self._running():
            os.waitpid(child.pid, 0)

    def _tell(self, number: signal.Signals) -> None:
        for _, child in self._running():
            os.kill(child.pid, number)

    def _running(self) -> Iterator[tuple[str, _Child]]:
        return ((role, child) for role, child in self._children.items() if child.pid)


def _fork(role: str, serve_role: Callable[[], None]) -> int:
    """The new process's id; in that process this never returns."""
    parent = os.getpid()
    with _signals_held():  # one that came in between would find the supervisor's handler
        pid = os.fork()
        if pid:
            return pid
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
    code = 1
    try:
        _end_with(parent)
        code = _run(role, serve_role)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # the supervisor's own cleaning up is not the child's


def _run(role: str, serve_role: Callable[[], None]) -> int:
    try:
        serve_role()
    except KokubusError as error:
        log.error("role_failed", role=role, error=str(error))  # noqa: TRY400 - the sentence says it
        return 2
    except Exception:  # whatever it was belongs into the log before the process ends
        log.exception("role_failed", role=role)
        return 1
    return 0


def _end_with(parent: int) -> None:
    """Have the kernel end this process when the supervisor is gone, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, int(signal.SIGTERM))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _signals_held() -> Iterator[None]:
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
