"""``kokubus edge doctor``: each part of a door, whether it is well, and what to do if not.

The running agent knows most of it (`kokubus_edge.desk`); files, disk and network are looked at
here. The same report goes to the hub when it asks for it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kokubus.errors import KokubusError
from kokubus_edge import rtc, trust
from kokubus_edge.certificate import read_certificate
from kokubus_edge.identity import Identity, read_identity
from kokubus_edge.link_tls import tls_context
from kokubus_edge.settings import Settings

HOUR_MS, DAY_S = 3_600_000, 86_400
FREE_MB = 200
PENDING = 1_000
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: ``problem`` is empty if it is well, ``remedy`` says what to do then."""

    part: str
    said: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nobody needs to do anything."""
        return not self.remedy


Status = Mapping[str, Any]
"""What the running agent says of itself; empty where none runs."""


def examine(settings: Settings, status: Status) -> list[Finding]:
    """Look at everything, in the order in which one would repair it. Waits for disk and network.

    What cannot be looked at is a problem of its own, and the rest is looked at all the same.
    """
    findings: list[Finding] = []
    for name, look in _LOOKS.items():
        try:
            findings += look(settings, status)
        except Exception as error:  # the doctor itself must not fall ill
            said = f"cannot be looked at: {type(error).__name__}: {error}"[:200]
            findings.append(Finding(name, said, "send this line to whoever looks after the hub"))
    return findings


def told(findings: list[Finding]) -> str:
    """The findings as lines: ``ok`` or ``PROBLEM``, the part, what was seen, what to do."""
    lines: list[str] = []
    for one in findings:
        lines.append(f"{'ok     ' if one.ok else 'PROBLEM'}  {one.part:<12} {one.said}")
        if one.remedy:
            lines.append(f"         {'':<12} -> {one.remedy}")
    return "\n".join(lines)


def _agent(_settings: Settings, status: Status) -> Iterator[Finding]:
    if not status:
        remedy = "systemctl status kokubus-edge; journalctl -u kokubus-edge -n 50"
        yield Finding("agent", "is not running, or does not answer", remedy)
        return
    said = f"version {status['version']}, up for {status['up_ms'] // 60_000} min"
    stuck = ", ".join(status["stuck"])
    remedy = "systemctl restart kokubus-edge, and look at its log" if stuck else ""
    yield Finding("agent", f"{said}; does not get on: {stuck}" if stuck else said, remedy)


def _readers(settings: Settings, status: Status) -> Iterator[Finding]:
    if not any(door.reader for door in settings.doors):
        return
    if not status:
        yield Finding("reader", "known to the running agent alone", "start the agent first")
    for name, health in status.get("readers", {}).items():
        if health["ok"]:
            yield Finding("reader", f"{name}: reads")
        else:
            yield Finding("reader", f"{name}: {health['problem']}", "check its cable and power")


def _pins(settings: Settings, status: Status) -> Iterator[Finding]:
    failed = status.get("locks_failed", [])
    for door in failed:
        yield Finding("pins", f"{door}: its lock cannot be moved", "check relay board and wires")
    if settings.simulated or status.get("simulated"):
        yield Finding("pins", "simulated: no lock moves")
    elif not list(Path("/dev").glob("gpiochip*")):
        yield Finding("pins", "no /dev/gpiochip*", "run this on the Raspberry Pi of the door")
    elif not failed:
        wires = sum(len(list(door.pins.wires())) for door in settings.doors)
        yield Finding("pins", f"{wires} wires of {len(settings.doors)} doors")


def _clock(_settings: Settings, status: Status) -> Iterator[Finding]:
    battery = rtc.look()
    if battery.state is rtc.RtcState.FLAT:
        remedy = "replace the coin cell: else each power cut costs the time"
        yield Finding("clock", battery.detail, remedy)
    else:
        yield Finding("clock", battery.detail)
    trusted = status.get("clock")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if trusted == "untrusted":
        remedy = "give it network for a minute: it asks the time servers and the hub"
        yield Finding("clock", f"{now}, not believed: after a power cut nobody knows", remedy)
    else:
        yield Finding("clock", f"{now}, {trusted or 'the agent is not running'}")


def _certificate(settings: Settings, _status: Status) -> Iterator[Finding]:
    identity = _identity(settings)
    if isinstance(identity, str):
        yield Finding("certificate", identity, "enrol: kokubus edge enrol --hub URL --code CODE")
        return
    if not settings.hub.tls:
        yield Finding("certificate", "not used: tls = false")
        return
    held = read_certificate(identity.certificate)
    days = int((held.end / 1000 - time.time()) // DAY_S)
    mode = stat.S_IMODE(identity.key.stat().st_mode)
    if mode & 0o077:
        remedy = f"chmod 600 {identity.key}; enrol again if somebody may have copied it"
        yield Finding("certificate", "others may read its key", remedy)
    elif days < 0:
        yield Finding("certificate", f"ended {-days} days ago", "enrol again with a new code")
    elif trust.due(held, int(time.time() * 1000)):
        remedy = "it is renewed by itself; if this stays for a week, look at the hub's worker"
        yield Finding("certificate", f"ends in {days} days", remedy if days < 30 else "")
    else:
        yield Finding("certificate", f"of {identity.device}, ends in {days} days")


def _broker(settings: Settings, status: Status) -> Iterator[Finding]:
    where = f"{settings.hub.host}:{settings.hub.port}"
    if status.get("linked"):
        yield Finding("broker", f"{where}: connected")
        return
    wrong, remedy = _reach(settings)
    if wrong:
        yield Finding("broker", f"{where}: {wrong}", remedy)
    elif status:
        remedy = "wait a minute; then ask the hub: kokubus hub device list"
        yield Finding("broker", f"{where}: can be reached, but the agent is not connected", remedy)
    else:
        yield Finding("broker", f"{where}: can be reached")


def _reach(settings: Settings) -> tuple[str, str]:
    """What is wrong on the way to the broker, and the remedy; two empty texts if nothing is.

    Ends before MQTT's first word: a second client of this name would throw the agent out.
    """
    host, port = settings.hub.host, settings.hub.port
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    except OSError:
        return "its name is not found", "check cable, SIM card and DNS: ping 1.1.1.1, ping the name"
    try:
        with socket.create_connection((str(address[0]), port), _CONNECT_S) as plain:
            if settings.hub.tls:
                _greet(settings, plain)
    except ssl.SSLError as error:
        return f"refuses our certificate ({error.reason})", "enrol again with a new code"
    except KokubusError as error:
        return str(error), "enrol again with a new code"
    except OSError as error:
        remedy = f"let this network reach TCP port {port}, or have the hub offer port 443"
        return f"cannot be reached ({error})", remedy
    return "", ""


def _greet(settings: Settings, plain: socket.socket) -> None:
    identity = read_identity(settings)
    context = tls_context(identity.ca, identity.certificate, identity.key, dates=False)
    with context.wrap_socket(plain, server_hostname=settings.hub.host):
        pass


def _policy(_settings: Settings, status: Status) -> Iterator[Finding]:
    policy = status.get("policy")
    if not status:
        return
    if policy is None:
        remedy = "it comes by itself within a minute of being connected; has the hub this device?"
        yield Finding("policy", "no rights yet: only the hub can open", remedy)
        return
    age, lasts = policy["age_ms"] / HOUR_MS, policy["max_age_ms"] / HOUR_MS
    said = f"{policy['epoch']}.{policy['n']}, confirmed {age:.1f} h ago, lasts {lasts:.0f} h"
    remedy = "bring its network back: when it is stale, keyholders alone can enter"
    yield Finding("policy", said, remedy if age > min(24, lasts / 2) else "")


def _disk(settings: Settings, _status: Status) -> Iterator[Finding]:
    usage = shutil.disk_usage(settings.data)
    free = usage.free // 1_000_000
    said = f"{settings.data}: {free} MB free, {usage.used * 100 // usage.total} % used"
    if os.statvfs(settings.data).f_flag & os.ST_RDONLY:
        yield Finding("disk", "read-only", "the card is worn out or damaged: replace it")
    else:
        remedy = "delete what does not belong there: facts and updates need room"
        yield Finding("disk", said, remedy if free < FREE_MB else "")


def _spool(_settings: Settings, status: Status) -> Iterator[Finding]:
    if not status:
        return
    pending, stalled = status["pending"], status["stalled_ms"]
    if stalled > 2_000:
        yield Finding("spool", f"the card blocks writes for {stalled // 1000} s", "replace it")
    elif pending > PENDING:
        remedy = "connected, they go by themselves; if not, look at broker above"
        yield Finding("spool", f"{pending} facts wait for the hub", remedy)
    else:
        yield Finding("spool", f"{pending} facts wait for the hub")


def _identity(settings: Settings) -> Identity | str:
    try:
        return read_identity(settings)
    except KokubusError as error:
        return str(error)


_LOOKS: Mapping[str, Callable[[Settings, Status], Iterator[Finding]]] = {
    "agent": _agent,
    "reader": _readers,
    "pins": _pins,
    "clock": _clock,
    "certificate": _certificate,
    "broker": _broker,
    "policy": _policy,
    "disk": _disk,
    "spool": _spool,
}


def as_json(findings: list[Finding]) -> str:
    """The same for programs."""
    rows = [
        {"part": one.part, "ok": one.ok, "said": one.said, "remedy": one.remedy} for one in findings
    ]
    return json.dumps(rows)
