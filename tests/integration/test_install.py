"""A bare clone installs itself on a machine without a compiler, from hashes alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", re.MULTILINE)

TOOLS = ["bash", "cat", "dirname", "env", "grep", "sha256sum"]
"""All of a machine that scripts/lib.sh may lean on beside Python; no gcc, no make, no headers."""


def pins(lock: str) -> dict[str, list[Version]]:
    """Versions by name; a package has several where they depend on the Python."""
    found: dict[str, list[Version]] = {}
    for name, version in PINNED.findall((ROOT / "requirements" / lock).read_text()):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is needed to run this test; install it"
        (folder / tool).symlink_to(found)
    # Not the link of a virtual environment: the interpreter that it was made from.
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    (folder / "python3").symlink_to(base)
    return str(folder)


def ready(clone: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        ["bash", "-c", "set -euo pipefail; source scripts/lib.sh; ready run"],
        cwd=clone,
        env=environment | {"PATH": path, "CC": "no-compiler-here"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bare_clone_installs_itself_without_a_compiler(tmp_path: Path, bare_path: str) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
    assert shutil.which("gcc", path=bare_path) is None
    first = ready(clone, bare_path)
    assert first.returncode == 0, first.stderr
    assert "Installing the locked packages" in first.stderr
    python = clone / ".venv/bin/python"
    asked = "import kokubus, cryptography, numpy, psycopg, importlib.metadata as m; "
    asked += "print(kokubus.__file__, m.version('mfrc522'))"
    told = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout
    assert told.split() == [str(clone / "core/kokubus/__init__.py"), "0.0.7"]
    assert (clone / ".venv/bin/kokubus").exists()
    again = ready(clone, bare_path)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_every_requirement_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {
        "dev.txt": project["dependencies"] + extras["edge"] + extras["hub"] + extras["dev"],
        "run.txt": project["dependencies"] + extras["edge"] + extras["hub"],
        "hub.txt": project["dependencies"] + extras["hub"],
        "edge.txt": project["dependencies"] + extras["edge"],
        "pi.txt": project["dependencies"] + extras["edge"] + extras["pi"],
        "mfrc522.txt": [extras["pi"][0]],
    }
    for lock, requirements in wanted.items():
        locked = pins(lock)
        for requirement in map(Requirement, requirements):
            versions = locked.get(canonicalize_name(requirement.name), [])
            assert versions, f"{requirement} is not in {lock}; run scripts/lock"
            assert all(version in requirement.specifier for version in versions)


def test_no_two_locks_disagree() -> None:
    everything = pins("dev.txt") | pins("pi.txt")
    for lock in ("run.txt", "hub.txt", "edge.txt"):
        assert pins(lock).items() <= everything.items()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_is_hashed_and_names_no_source(lock: Path) -> None:
    text = lock.read_text()
    entries = text.replace("\\\n", " ").splitlines()[1:]
    assert entries
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert not re.search(r"://|--(extra-)?index|find-links|file:", text)
