"""Asking the agent that runs on this machine, at its desk (`kokubus_edge.desk`)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kokubus.errors import KokubusError
from kokubus_edge.desk import NAME

_TIMEOUT_S = 10.0


class DeskError(KokubusError):
    """The agent cannot be asked; the sentence says why."""


def status(data: Path) -> dict[str, Any]:
    """How the agent is; DeskError if none runs here."""
    return next(_answers(data, "status"))


def messages(data: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """What is said to and by the hub from now on, without credentials; DeskError as above."""
    end = time.monotonic() + seconds
    for answer in _answers(data, "record"):
        if time.monotonic() >= end:
            return
        if "topic" in answer:
            yield answer


def _answers(data: Path, do: str) -> Iterator[dict[str, Any]]:
    path = data / NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_TIMEOUT_S)
            asking.connect(str(path))
            asking.sendall(json.dumps({"do": do}).encode() + b"\n")
            with asking.makefile("rb") as lines:
                for line in lines:
                    yield json.loads(line)
    except (OSError, ValueError) as error:
        said = f"{path}: nobody answers ({error}); is the agent running, and are you its user?"
        raise DeskError(f"{said} sudo -u kokubus helps") from error
    raise DeskError(f"{path}: the agent has ended")
