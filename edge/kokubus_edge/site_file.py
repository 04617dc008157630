"""The site's file as the hub gives it: taken if it fits, tried, undone if the agent fails with it.

A file that changes something takes effect with the agent's next start, for which the agent ends
itself once nobody is at its doors. It is on trial until the agent has got on with it for a
moment; if that does not come about in a few starts, the file before it is put back, and the
number is refused from then on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import structlog

from kokubus.downlinks import SiteGiven
from kokubus.errors import KokubusError
from kokubus.messages import SiteHeld
from kokubus.site.given import fingerprint, number_of
from kokubus_edge.atomic import write_atomically
from kokubus_edge.inbox import Say
from kokubus_edge.settings import Settings, with_site
from kokubus_edge.trouble import Trouble

log = structlog.get_logger(__name__)

STARTS = 3
ALARM = "site_refused"
_TRIAL, _REFUSED = "site-trial.json", "site-refused.json"


class SiteFile:
    """``disk`` runs all that waits, with one worker; ``tell`` is called from there."""

    def __init__(
        self, settings: Settings, *, tell: Callable[[Say | Trouble], None], disk: Executor
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._disk = disk
        self._restart = False

    @property
    def wants_restart(self) -> bool:
        """Whether a file waits for the agent's next start."""
        return self._restart

    def take(self, given: SiteGiven) -> None:
        """What the hub has signed; never waits."""
        self._disk.submit(self._guarded, lambda: self._take(given))

    def started(self) -> None:
        """Say by which file the agent runs, and why not by a later one; never waits."""
        self._disk.submit(self._guarded, self._started)

    def proved(self) -> None:
        """The agent gets on with its file: what was before it is forgotten; never waits."""
        self._disk.submit(self._guarded, lambda: _forget_trial(self._settings))

    def _take(self, given: SiteGiven) -> None:
        file, data = self._settings.site_file, self._settings.data
        held = file.read_text("utf-8")
        if given.number <= max(number_of(held), _refused(data).get("number", 0)):
            log.info("site_older", number=given.number, have=number_of(held))
            if not self._restart:
                self._started()  # a hub that gives it does not know by which file we run
            return
        try:
            fresh = with_site(self._settings, given.text)
        except KokubusError as error:
            _refuse(data, given.number, str(error))
            self._tell(Trouble(ALARM, active=True, detail=str(error)[:300]))
            return
        if self._print(fresh) == self._print(self._settings) and not self._restart:
            write_atomically(file, given.text.encode(), mode=0o644)
            self._started()
            return
        self._try(given, held)

    def _try(self, given: SiteGiven, held: str) -> None:
        """A power cut between any two lines leaves a device that starts, and takes it again."""
        file, data = self._settings.site_file, self._settings.data
        if not (data / _TRIAL).exists():  # else it is itself not proved: what was before it counts
            write_atomically(_before(file), held.encode(), mode=0o644)
        _keep(data / _TRIAL, number=given.number, starts=0)
        write_atomically(file, given.text.encode(), mode=0o644)
        log.info("site_taken", number=given.number)
        self._restart = True

    def _started(self) -> None:
        number = number_of(self._settings.site_file.read_text("utf-8"))
        told = {"number": number, "sha256": self._print(self._settings)}
        self._tell(Say(SiteHeld, told))
        if refused := _refused(self._settings.data):
            active = refused["number"] > number
            detail = str(refused["why"])[:300] if active else ""
            self._tell(Trouble(ALARM, active=active, detail=detail))

    def _print(self, settings: Settings) -> str:
        return fingerprint(settings.site, settings.device)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            log.warning("site_not_taken", why=f"{type(error).__name__}: {error}"[:300])


def begin(file: Path, data: Path) -> None:
    """To be called before the settings are read: counts starts, and puts the old file back.

    A card that refuses both is no reason for a door not to start.
    """
    try:
        _begin(file, data)
    except OSError as error:
        log.warning("site_trial_not_kept", why=str(error))


def _begin(file: Path, data: Path) -> None:
    trial = _json(data / _TRIAL)
    if not trial:
        return
    starts = int(trial.get("starts", 0)) + 1
    if starts <= STARTS:
        _keep(data / _TRIAL, number=trial.get("number", 0), starts=starts)
        return
    # while it was on trial the same may have come by a later number
    number = max(trial.get("number", 0), _number(file))
    if _before(file).exists():
        write_atomically(file, _before(file).read_bytes(), mode=0o644)
    _refuse(data, number, f"the agent did not run with it in {STARTS} starts")
    (data / _TRIAL).unlink()
    log.warning("site_undone", number=number)


def _forget_trial(settings: Settings) -> None:
    trial = settings.data / _TRIAL
    if _json(trial).get("starts"):  # else it is for the next start
        trial.unlink()
        _before(settings.site_file).unlink(missing_ok=True)


def _number(file: Path) -> int:
    """A file that is gone or damaged is undone like any other."""
    try:
        return number_of(file.read_text("utf-8", errors="replace"))
    except OSError:
        return 0


def _before(file: Path) -> Path:
    return file.with_name(f"{file.name}.before")


def _refuse(data: Path, number: int, why: str) -> None:
    _keep(data / _REFUSED, number=number, why=why)
    log.warning("site_refused", number=number, why=why[:300])


def _refused(data: Path) -> dict[str, Any]:
    return _json(data / _REFUSED)


def _keep(path: Path, **told: object) -> None:
    write_atomically(path, json.dumps(told).encode())


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
