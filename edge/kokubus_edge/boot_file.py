"""Enrolling without a keyboard: a file on the card's boot partition, which any computer can write.

``kokubus-enrol.toml``, beside ``config.txt``::

    hub = "https://hub.example.org"
    code = "7K3M-Q0XD"

Once it was used the file is gone and ``kokubus-enrol-done.txt`` says what the device became.
What went wrong stands in ``kokubus-enrol-error.txt``, in words.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kokubus.errors import KokubusError
from kokubus_edge.atomic import sync_folder

BOOT_FILE = Path("/boot/firmware/kokubus-enrol.toml")
_EXAMPLE = 'hub = "https://hub.example.org"\ncode = "7K3M-Q0XD"'


class BootFileError(KokubusError):
    """The file cannot be read; the sentence says how it should look."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which hub, and the code it gave."""

    hub: str
    code: str


def read_boot_file(path: Path) -> Wanted:
    """What the file asks for; BootFileError if it is not there or says something else."""
    try:
        said = tomllib.loads(path.read_text("utf-8-sig"))  # Windows' editor begins with a mark
    except OSError as error:
        raise BootFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BootFileError(_sentence(path, f"cannot be read ({error})")) from error
    hub, code = said.get("hub"), said.get("code")
    if not isinstance(hub, str) or not isinstance(code, str):
        raise BootFileError(_sentence(path, "says no hub or no code"))
    return Wanted(hub, code)


def succeeded(path: Path, sentence: str) -> None:
    """Destroy the file, whose code is used up, and say so beside it."""
    _say(path, "done", sentence)
    _beside(path, "error").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)  # FAT would be half a minute in memory, and the plug is pulled


def failed(path: Path, sentence: str) -> None:
    """Say beside the file what is wrong; a partition that cannot be written keeps its silence."""
    with suppress(OSError):
        _say(path, "error", sentence)


def _say(path: Path, what: str, sentence: str) -> None:
    # on FAT, and for whoever opens it on Windows
    _beside(path, what).write_text(sentence + "\n", "utf-8", newline="\r\n")


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}-{what}.txt")


def _sentence(path: Path, wrong: str) -> str:
    return f"{path.name} {wrong}. It should look like this:\n{_EXAMPLE}"
