"""A device as systemd keeps it: releases of the real program, one that runs, one that updates it.

The wheels are made of this tree's own files, so that a real pip makes real environments of them;
what they need they borrow from ours, since no package index is asked. They wait less long.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import sysconfig
import threading
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.nursery import ROOT
from tests.acceptance.rig.processes import Process

from kokubus_edge.release import Releases

PACKAGES = ("core/kokubus", "edge/kokubus_edge", "scripts/kokubus_cli")
SOONER = {"kokubus_edge/care.py": ("PROVEN_MS = 20_000", "PROVEN_MS = 1_000")}
IMPATIENT = {"kokubus_edge/updating.py": ("PATIENCE_S = 300.0", "PATIENCE_S = 20.0")}
"""For a release that will never report healthy; another may need long on a slow machine."""
DEAF = {"kokubus_edge/running.py": ("        link.start()\n", "")}
"""A fault that no check at its start shows: the doors work, and it never reaches the hub."""
_REQUEST = "update-request.json"
_TURN_S = 0.1


def publish(wheels: Path, version: str, changes: Mapping[str, tuple[str, str]] = SOONER) -> str:
    """Make the wheel of a release (PEP 427), with its files so changed; its SHA-256."""
    files = {inner: path.read_bytes() for inner, path in _files().items()}
    for inner, (old, new) in changes.items():
        assert old.encode() in files[inner], f"{inner} no longer says {old!r}"
        files[inner] = files[inner].replace(old.encode(), new.encode())
    info = f"kokubus-{version}.dist-info"
    files |= {
        "kokubus_needs.pth": f"{sysconfig.get_path('purelib')}\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: kokubus\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nkokubus = kokubus_cli.main:main\n",
    }
    wheels.mkdir(exist_ok=True)
    wheel = wheels / f"kokubus-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for inner, content in files.items():
            packed.writestr(inner, content)
        packed.writestr(f"{info}/RECORD", _record(info, files))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _files() -> dict[str, Path]:
    """By their names in a wheel; the locks stay out, for what they name is borrowed."""
    return {
        str(path.relative_to((ROOT / package).parent)): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*"))
        if path.is_file() and path.suffix in (".py", ".typed")
    }


def _record(info: str, files: Mapping[str, bytes]) -> str:
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for inner, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows.writerow([inner, f"sha256={digest}", len(content)])
    rows.writerow([f"{info}/RECORD", "", ""])
    return record.getvalue()


class Systemd:
    """What `kokubus-edge.service` and `kokubus-update.path` do, in the place of systemd.

    The agent is whatever ``current`` names, started again whenever it ends; a request for an
    update is carried out by what ``steady`` names. ``systemctl`` is asked for one thing only.
    """

    def __init__(self, agent: Agent, wheels: Path) -> None:
        self.folder, self._data = wheels.parent, agent.data
        self.programs = self.folder / "programs"
        config = agent.config
        text = config.read_text("utf-8")
        config.write_text(f'wheels = "{wheels}"\n{text}', "utf-8")
        self.releases = Releases(self.programs, config)
        self._words = ["--config", str(config)]
        self._environ = {"GPIOZERO_PIN_FACTORY": "mock", "PIP_NO_INDEX": "1", "PYTHONPATH": ""}
        self._pid = self.folder / "pid"
        self.agent = self._process("current", "run")
        self.update = self._process("steady", "update", "--pending", "--programs", self.programs)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self, version: str, sha256: str) -> None:
        """Install the first release, as the card brings it, and run it."""
        self.programs.mkdir()
        self.releases.install(version, sha256, str(self.folder / "wheels"))
        for link in ("steady", "current"):
            self.releases.turn(link, version)
        self._thread.start()

    def close(self) -> None:
        """End all of it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for process in (self.update, self.agent):
            with suppress(ProcessLookupError):
                process.stop()

    def _run(self) -> None:
        while not self._stopping.wait(_TURN_S):
            if not self.agent.alive:
                self.agent.kill()
                self.agent.start()
                self._pid.write_text(str(self.agent.pid))
            if not self.update.alive and (self._data / _REQUEST).exists():
                self.update.kill()
                self.update.start()

    def _process(self, link: str, what: str, *words: str | Path) -> Process:
        command = [self.programs / link / "bin" / "kokubus", "edge", what, *words, *self._words]
        path = f"{self._systemctl()}{os.pathsep}{os.environ['PATH']}"
        environ = self._environ | {"PATH": path}
        return Process(list(map(str, command)), self.folder / f"unit-{what}.log", environ)

    def _systemctl(self) -> Path:
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        script = folder / "systemctl"
        script.write_text(f"#!/bin/sh\nexec cat {self._pid}\n")
        script.chmod(0o755)
        return folder
