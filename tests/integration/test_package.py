"""The wheel carries all that runs, and what it carries does run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path, PurePath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core/kokubus", "edge/kokubus_edge", "hub/kokubus_hub", "scripts/kokubus_cli")
PIP: list[str | Path] = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
ALONE: list[str | Path] = ["--no-deps", "--no-index", "--no-cache-dir"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as scripts/lib.sh and the images build it: by what requirements/build.txt locks."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [*PIP, "wheel", *ALONE, "--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    (made,) = folder.glob("kokubus-*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", *ALONE, "--target", folder, wheel], check=True)
    return folder


def tracked() -> Iterator[str]:
    """Files of the packages that are in git and still in the tree, as a wheel names them."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).exists():
            yield str(PurePath(*PurePath(name).parts[1:]))


def run(installed: Path, *words: str) -> str:
    """What a command of the installed package prints; the tree itself is not in its way."""
    done = subprocess.run(
        words,
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_carries_every_file_of_the_packages(names: set[str]) -> None:
    assert set(tracked()) - names == set()


@pytest.mark.parametrize(
    "needed",
    [
        "kokubus_hub/locale/de/LC_MESSAGES/kokubus.mo",
        "kokubus_hub/migrations/env.py",
        "kokubus_hub/migrations/versions/0001_places.py",
        "kokubus_hub/web/static/kokubus.css",
        "kokubus_hub/web/templates/base.html",
        *(f"{PurePath(package).name}/py.typed" for package in PACKAGES),
    ],
)
def test_it_carries_what_is_no_code(names: set[str], needed: str) -> None:
    assert needed in names


def test_it_carries_its_licence(wheel: Path, names: set[str]) -> None:
    (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        said = message_from_string(archive.read(metadata).decode())
        licence = archive.read(metadata.replace("METADATA", "licenses/LICENSE"))
    assert said["License-Expression"] == "EUPL-1.2"
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_it_carries_nothing_else(names: set[str]) -> None:
    tops = {PurePath(name).parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        PurePath(package).name for package in PACKAGES
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_command_is_there(installed: Path) -> None:
    said = run(installed, str(installed / "bin/kokubus"), "--help")
    assert "kokubus hub" in said
    assert "kokubus edge" in said


def test_a_hub_can_be_set_up_from_it(installed: Path, tmp_path: Path) -> None:
    """Its migrations are found where it is installed, not in the tree."""
    asked = "import kokubus_hub.database as d; print(d.__file__)"
    assert run(installed, sys.executable, "-c", asked).startswith(str(installed))
    data = ["--data-dir", str(tmp_path / "data")]
    run(installed, str(installed / "bin/kokubus"), "hub", *data, "init")
    said = run(installed, str(installed / "bin/kokubus"), "hub", *data, "device", "list")
    assert said == ""
