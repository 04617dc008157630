"""How points get into InfluxDB 1.8, 2 or 3: whole batches, and around those it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from kokubus.errors import SettingsError
from kokubus_hub.settings import Settings, secret_in

TIMEOUT_MS = 10_000
_REFUSALS = frozenset({400, 413, 422})
"""What is wrong with a batch itself; anything else (401, 404, 429, 5xx) is wrong with the server
or its settings, and waiting helps."""
CANARY = "kokubus_canary ok=1i 0"
"""A point nobody can refuse for its own sake; always the same one."""


class Keep(StrEnum):
    """Which bucket: that of every fact, or the one of the condensed series that stay for years."""

    SHORT = "short"
    LONG = "long"

    def bucket(self, settings: Settings) -> str:
        """``kokubus`` or ``kokubus/long``: InfluxQL knows these as retention policies."""
        name = settings.influx_bucket
        return name if self is Keep.SHORT else f"{name}/long"


Write = Callable[[Keep, Sequence[str]], None]
"""Writes lines, or raises `RefusedError` for something wrong with them."""


class RefusedError(Exception):
    """InfluxDB will never take these points; ``str()`` is what it said."""


@contextmanager
def writing(settings: Settings) -> Iterator[Write]:
    """A connection to the settings' InfluxDB. SettingsError without an URL."""
    with client(settings) as made, made.write_api(write_options=SYNCHRONOUS) as api:

        def write(keep: Keep, lines: Sequence[str]) -> None:
            try:
                api.write(keep.bucket(settings), record="\n".join(lines))
            except ApiException as error:
                if error.status not in _REFUSALS:
                    raise
                raise RefusedError(_said(error)) from error

        yield write


def client(settings: Settings) -> InfluxDBClient:
    """influxdb-client on the settings' server; close it."""
    if not settings.influx_url:
        raise SettingsError("KOKUBUS_HUB_INFLUX_URL: not set, so there is no InfluxDB to fill")
    file = settings.influx_token_file
    return InfluxDBClient(
        settings.influx_url,
        token=secret_in(file, "influx_token_file") if file else "",
        org=settings.influx_org,
        timeout=TIMEOUT_MS,
        enable_gzip=True,
    )


def around(write: Write, keep: Keep, lines: Sequence[str]) -> dict[int, str]:
    """Write all lines but those that are refused; the reasons of these, by place in ``lines``.

    A refused batch is halved until the point that spoils it stands alone. If even `CANARY` is
    refused, the points are not to blame and RefusedError is raised.
    """
    try:
        write(keep, lines)
    except RefusedError:
        write(keep, [CANARY])
        return _halved(write, keep, lines, 0)
    return {}


def _halved(write: Write, keep: Keep, lines: Sequence[str], first: int) -> dict[int, str]:
    try:
        write(keep, lines)
    except RefusedError as error:
        if len(lines) == 1:
            return {first: str(error)}
        half = len(lines) // 2
        left = _halved(write, keep, lines[:half], first)
        return left | _halved(write, keep, lines[half:], first + half)
    return {}


def _said(error: ApiException) -> str:
    return f"{error.status}: {error.message or error.reason}"
