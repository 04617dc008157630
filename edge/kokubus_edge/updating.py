"""Another release on a door that nobody stands at: tried beside the old one, and undone by itself.

Every release is a virtual environment of its own in one folder, with two symbolic links::

    /opt/kokubus/0.1.0/  0.2.0/
    /opt/kokubus/current -> 0.2.0      what the agent runs
    /opt/kokubus/steady  -> 0.1.0      what last proved healthy; it watches over the other

An update installs beside what runs, turns ``current`` at once, has the agent restarted and waits
until it says it is healthy. If it does not in time, ``current`` is turned back. The request stays
on disk until there is a result, so a power cut at any moment only makes this begin again.
"""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from kokubus.errors import KokubusError
from kokubus_edge.atomic import write_atomically
from kokubus_edge.release import Releases

log = structlog.get_logger(__name__)

PROGRAMS = Path("/opt/kokubus")
REQUEST, RESULT, HEALTHY = "update-request.json", "update-result.json", "healthy.json"
PATIENCE_S = 300.0
_STEP_S = 1.0
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UpdateError(KokubusError):
    """A release cannot be installed; the one that runs goes on running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which release, the SHA-256 of its wheel, where wheels are; ``order`` of the hub's, if any."""

    version: str
    sha256: str
    wheels: str
    order: str = ""


def request(data: Path, wanted: Request) -> None:
    """Ask for an update; `kokubus-update.path` starts `pending`.

    UpdateError for nonsense, and while another is under way: it would not be answered.
    """
    if (data / REQUEST).exists():
        raise UpdateError(
            "another update is under way: wait for its result and ask again; should nobody be at "
            "it, `kokubus edge update --pending` goes on with it"
        )
    if not _VERSION.fullmatch(wanted.version):
        raise UpdateError(f"{wanted.version!r} is no version, such as 0.2.0")
    if not _SHA256.fullmatch(wanted.sha256):
        raise UpdateError("the wheel's SHA-256 is 64 of 0-9 and a-f; sha256sum prints it")
    write_atomically(data / REQUEST, json.dumps(asdict(wanted)).encode())


def ordered(data: Path, wheels: str, order: str, argument: str) -> tuple[str, str]:
    """An update the hub has ordered: ``VERSION sha256:HEX``; see `kokubus_edge.orders.Deed`."""
    version, _, digest = argument.partition(" sha256:")
    request(data, Request(version=version, sha256=digest, wheels=wheels, order=order))
    return "started", f"installs {version}; the result follows"


def take_result(data: Path) -> dict[str, str] | None:
    """What became of the last update, once: ``order``, ``outcome``, ``report``."""
    path = data / RESULT
    try:
        told: dict[str, str] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    path.unlink()
    return told


def result(data: Path) -> dict[str, Any]:
    """What became of the last update, as long as the agent has not taken it."""
    return _json(data / RESULT)


def healthy(data: Path, version: str) -> None:
    """The running agent proves itself: it is connected and all its parts get on."""
    write_atomically(data / HEALTHY, json.dumps({"version": version}).encode())


def pending(
    data: Path,
    releases: Releases,
    restart: Callable[[], None],
    *,
    patience_s: float = PATIENCE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Carry out what was requested, from wherever a power cut left it; a sentence about it.

    The caller is `alone`. Never raises for what is wrong with a release or a card: the result
    says it, to the hub as well. OSError if not even that can be written; the request is gone all
    the same, or systemd would begin again at once and for ever.
    """
    wanted = _read(data / REQUEST)
    if wanted is None:
        (data / REQUEST).unlink(missing_ok=True)
        return "no update was asked for"
    try:
        said = _carry_out(data, releases, restart, wanted, patience_s, sleep)
        outcome = "done"
    except (KokubusError, OSError) as error:
        said, outcome = str(error), "failed"
    log.info("update", version=wanted.version, outcome=outcome)
    told = {"order": wanted.order, "outcome": outcome, "report": said}
    try:
        write_atomically(data / RESULT, json.dumps(told).encode())
    finally:
        (data / REQUEST).unlink(missing_ok=True)
    return said


def _carry_out(
    data: Path,
    releases: Releases,
    restart: Callable[[], None],
    wanted: Request,
    patience_s: float,
    sleep: Callable[[float], None],
) -> str:
    if releases.current() == releases.steady() == wanted.version:
        return f"{wanted.version} runs already"
    if releases.current() != wanted.version:
        releases.install(wanted.version, wanted.sha256, wanted.wheels)
        (data / HEALTHY).unlink(missing_ok=True)
        releases.turn("current", wanted.version)
        try:
            restart()
        except KokubusError:  # at its next start the agent would run what nobody watches over
            releases.turn("current", releases.steady())
            raise
    if _proved(data, wanted.version, patience_s, sleep):
        before = releases.steady()
        releases.turn("steady", wanted.version)
        releases.forget_all_but(wanted.version, before)
        return f"{wanted.version} runs and is healthy"
    releases.turn("current", releases.steady())
    restart()
    raise UpdateError(
        f"{wanted.version} did not report healthy within {patience_s:.0f} s; "
        f"back to {releases.steady()}"
    )


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """One update at a time: systemd begins as well with what is asked for by hand.

    Waits for whoever is at it; the lock ends with its process, however that ends.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "update.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _proved(data: Path, version: str, patience_s: float, sleep: Callable[[float], None]) -> bool:
    """Whether the agent of this version says it is healthy before patience ends."""
    for _ in range(max(1, round(patience_s / _STEP_S))):
        if _json(data / HEALTHY).get("version") == version:
            return True
        sleep(_STEP_S)
    return False


def _read(path: Path) -> Request | None:
    try:
        return Request(**_json(path))
    except TypeError:
        return None


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def sum_in(folder: Path, version: str) -> str:
    """The SHA-256 that ``SHA256SUMS`` in a folder of wheels names for this release's."""
    path = folder / "SHA256SUMS"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for line in lines:
        digest, _, name = line.partition(" ")
        if name.lstrip(" *").startswith(f"kokubus-{version}-"):
            return digest
    raise UpdateError(
        f"{path} names no wheel of kokubus {version}; say --sha256, as its maker published it"
    )
