"""Asking a simulated device, at its control socket (`kokubus_edge.simulate.control`)."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kokubus.errors import KokubusError


class ControlError(KokubusError):
    """The simulated device cannot be reached or refused; the sentence says why."""


def ask(path: Path, request: Mapping[str, Any], timeout_s: float = 30.0) -> dict[str, Any]:
    """Send one request and return the answer; ControlError if there is none or a refusal."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(timeout_s)
            asking.connect(str(path))
            asking.sendall(json.dumps(request).encode() + b"\n")
            with asking.makefile("rb") as answers:
                line = answers.readline()
    except OSError as error:
        said = f"{path}: nobody answers ({error.strerror or error}); is it running?"
        raise ControlError(said) from error
    return _accepted(path, line)


def _accepted(path: Path, line: bytes) -> dict[str, Any]:
    try:
        reply: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise ControlError(f"{path}: closed without an answer; see the device's log") from error
    if not reply.get("ok"):
        raise ControlError(str(reply.get("error")))
    return reply
