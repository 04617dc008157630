"""The run directory: everything the demo writes is in it, and nothing of it elsewhere."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kokubus.errors import KokubusError
from kokubus_edge.simulate.register import run_dir

MARK = "this-is-a-kokubus-demo"
SOCKET_LIMIT = 107
"""sun_path of unix(7) holds 108 bytes, the last one zero."""


class DemoError(KokubusError):
    """The demo cannot be started or asked; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths below the run directory, which is absolute."""

    root: Path

    @property
    def hub(self) -> Path:
        """The hub's data directory."""
        return self.root / "hub"

    @property
    def broker(self) -> Path:
        """Where the broker finds config/ and tls/; the hub writes the latter."""
        return self.hub / "mosquitto"

    @property
    def sites(self) -> Path:
        """The sites' TOML files, as the demo uses them."""
        return self.root / "sites"

    @property
    def log(self) -> Path:
        """One file a process."""
        return self.root / "log"

    @property
    def orders(self) -> Path:
        """The socket at which `kokubus demo cut` and the like ask."""
        return self.root / "demo.sock"

    def device(self, name: str) -> Path:
        """A device's agent.toml, identity and data."""
        return self.root / "devices" / name

    def control(self, name: str) -> Path:
        """A device's control socket."""
        return self.root / "run" / f"{name}.sock"


def folder(environ: Mapping[str, str], named: Path | None = None) -> Folder:
    """The run directory: ``named``, else by KOKUBUS_RUN, else ``.demo``."""
    return Folder((named or run_dir(environ)).absolute())


@contextmanager
def taken(here: Folder, *, keep: bool) -> Iterator[None]:
    """Hold the directory, emptied unless ``keep``; DemoError if it is in use or not a demo's."""
    _refuse_foreign(here)
    here.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = here.root / MARK
    with mark.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoError(f"{here.root}: a demo runs here already; end it with Ctrl-C") from error
        if not keep:
            _empty(here)
        for made in (here.log, here.sites, here.orders.parent / "run"):
            made.mkdir(mode=0o700, exist_ok=True)
        yield


def _refuse_foreign(here: Folder) -> None:
    longest = here.control("x" * 20)
    if len(str(longest).encode()) > SOCKET_LIMIT:
        raise DemoError(f"{here.root}: too long a name for sockets; choose a shorter one by --dir")
    if not here.root.exists() or (here.root / MARK).exists():
        return
    if not here.root.is_dir() or os.listdir(here.root):  # noqa: PTH208 - only whether it is empty
        raise DemoError(f"{here.root}: is no demo's directory and would be emptied; name another")


def _empty(here: Folder) -> None:
    for path in here.root.iterdir():
        if path.name == MARK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
