"""Releases side by side, each in its virtual environment, and the links that choose among them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from kokubus.errors import KokubusError
from kokubus_edge.atomic import sync_folder, write_atomically

_COMPLETE = "complete"
_LOCK = "kokubus_edge/requirements/"
"""In the wheel: which other packages this release runs with, each with its hash."""
_PIP_S = 1_200


class ReleaseError(KokubusError):
    """A release cannot be fetched, does not have its hash, or does not start."""


class Releases:
    """The folder of releases; ``config`` is the ``agent.toml`` that each has to understand."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder = folder
        self._config = config

    def current(self) -> str:
        """The version that the agent runs, or will after its restart; "" if there is none."""
        return self._named("current")

    def steady(self) -> str:
        """The version that last proved healthy; "" if there is none."""
        return self._named("steady")

    def turn(self, link: str, version: str) -> None:
        """Let a link name this version, at once and durably; ReleaseError if it is not here."""
        if not (self._folder / version / _COMPLETE).exists():
            raise ReleaseError(f"{self._folder}/{version} is no complete release")
        fresh = self._folder / f".{link}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(version)
        fresh.replace(self._folder / link)
        sync_folder(self._folder)

    def install(self, version: str, sha256: str, wheels: str) -> None:
        """Make this version's environment, from wheels alone, each checked against its hash.

        ``wheels`` is a folder or an address that pip can look through. What an attempt that was
        cut short has left is thrown away first; what is complete is used as it stands.
        """
        home = self._folder / version
        if (home / _COMPLETE).exists():
            return
        shutil.rmtree(home, ignore_errors=True)
        self._make(home)
        wheel = _fetched(home, version, sha256, wheels)
        _install(home, wheel, wheels)
        self._try(home)
        os.sync()  # all of it is on the card before it is called complete
        write_atomically(home / _COMPLETE, f"{sha256}\n".encode(), mode=0o644)

    def forget_all_but(self, *versions: str) -> None:
        """Make room: other releases are deleted."""
        for home in self._folder.iterdir():
            if home.is_dir() and not home.is_symlink() and home.name not in versions:
                shutil.rmtree(home, ignore_errors=True)

    def _named(self, link: str) -> str:
        path = self._folder / link
        return path.readlink().name if path.is_symlink() else ""

    def _make(self, home: Path) -> None:
        """Like the one we run in: with or without the packages that Debian brings for the pins."""
        own = Path(sys.prefix) / "pyvenv.cfg"
        text = own.read_text("utf-8") if own.exists() else ""
        system = "include-system-site-packages = true" in text
        _run([sys.executable, "-m", "venv", *(["--system-site-packages"] if system else []), home])

    def _try(self, home: Path) -> None:
        """Whether it starts and understands this device's settings."""
        _run([home / "bin" / "kokubus", "edge", "check", "--config", self._config])


def _fetched(home: Path, version: str, sha256: str, wheels: str) -> Path:
    wanted = home / "wanted.txt"
    wanted.write_text(f"kokubus=={version} --hash=sha256:{sha256}\n")
    where = ["--no-index", "--find-links", wheels, "--dest", str(home / "wheel")]
    _pip(home, "download", "--no-deps", "--require-hashes", "-r", wanted, *where)
    return next((home / "wheel").glob("*.whl"))


def _install(home: Path, wheel: Path, wheels: str) -> None:
    with zipfile.ZipFile(wheel) as packed:
        locks = [name for name in packed.namelist() if name.startswith(_LOCK)]
        for name in locks:
            packed.extract(name, home / "locks")
    for name in sorted(locks):
        lock = home / "locks" / name
        where = ["--find-links", wheels, "--no-deps"]
        _pip(home, "install", "--require-hashes", "-r", lock, *where)
    _pip(home, "install", "--no-deps", "--no-index", wheel)


def _pip(home: Path, what: str, *words: str | Path) -> None:
    python = home / "bin" / "python"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    _run([python, "-m", "pip", what, *quiet, *words])


def _run(words: Sequence[str | Path]) -> None:
    try:
        done = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, timeout=_PIP_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"{words[0]}: {error}") from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        errors = [line for line in lines if "ERROR" in line] or lines[-3:]
        said = " ".join(errors)[:400]
        raise ReleaseError(f"{Path(words[0]).name} {words[1]} {words[2]} failed: {said}")
