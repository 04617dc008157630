"""``kokubus edge update``: another release, tried and undone by itself if it is not healthy."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kokubus.errors import KokubusError
from kokubus_edge.settings import Settings, read_settings

if TYPE_CHECKING:
    from kokubus_edge.updating import Request

_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it
_TEXT = "install another release beside this one, and go back if it does not get healthy"
_PID = ("systemctl", "show", "--property=MainPID", "--value", "kokubus-edge.service")


def add(commands: _Commands[argparse.ArgumentParser], config: Path) -> None:
    """Add the sub-command ``update``."""
    command = commands.add_parser("update", help=_TEXT, description=_TEXT)
    command.add_argument("version", nargs="?", help="e.g. 0.2.0")
    command.add_argument("--sha256", help="of its wheel; else SHA256SUMS beside the wheels says")
    command.add_argument("--wheels", help="folder or address; default: `wheels` of agent.toml")
    command.add_argument("--programs", type=Path, help="where releases are (/opt/kokubus)")
    command.add_argument("--config", type=Path, default=config, help=f"default: {config}")
    text = "carry out what was requested, also after a power cut: for systemd"
    command.add_argument("--pending", action="store_true", help=text)
    command.set_defaults(run=_update)


def _update(given: argparse.Namespace) -> int:
    from kokubus_edge import updating  # noqa: PLC0415 - `release` starts without it
    from kokubus_edge.release import Releases  # noqa: PLC0415 - same

    settings = read_settings(given.config)
    releases = Releases(given.programs or updating.PROGRAMS, given.config)
    with updating.alone(settings.data):
        if not given.pending:
            updating.request(settings.data, _wanted(given, settings))
        print(updating.pending(settings.data, releases, restart_agent))
        told = updating.result(settings.data)
    return 1 if told.get("outcome") == "failed" else 0


def _wanted(given: argparse.Namespace, settings: Settings) -> Request:
    from kokubus_edge import updating  # noqa: PLC0415 - see above

    if not given.version:
        raise KokubusError("update: say which version, such as 0.2.0")
    wheels = given.wheels or settings.wheels
    sha256 = given.sha256 or updating.sum_in(Path(wheels), given.version)
    return updating.Request(version=given.version, sha256=sha256, wheels=wheels)


def restart_agent() -> None:
    """End the agent, whose unit starts it again from `current`; nothing to do if none runs."""
    try:
        said = subprocess.run(_PID, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise KokubusError(f"systemctl cannot be asked for the agent: {error}") from error
    pid = int(said.strip() or 0)
    if pid > 0:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
