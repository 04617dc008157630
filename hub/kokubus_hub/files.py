"""Files that hold secrets: made readable for their owner alone, refused if they are not."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kokubus.errors import KokubusError


class FilesError(KokubusError):
    """A file of the hub's is missing, unreadable or open to others; says what to do."""


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file only its owner can read, durably; FileExistsError if it is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> bytes:
    """A secret's bytes; FilesError if it is missing or others may read it."""
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise FilesError(f"{path}: {error.strerror}; run `kokubus hub init` once") from error
    if mode & 0o077:
        raise FilesError(f"{path}: others on this machine may read it; run `chmod 600 {path}`")
    return content


def private_dir(path: Path) -> Path:
    """The directory, made for its owner alone if it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def replace(path: Path, content: bytes) -> None:
    """Put new content in a file's place at once and durably: a reader sees the old or the new."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    with _opened(path.parent) as folder:
        os.fsync(folder)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Until its end, whoever else asks for this folder waits, in whatever process."""
    with _opened(folder) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
