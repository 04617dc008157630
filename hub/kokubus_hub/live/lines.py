"""What happened lately at each site, one line a happening, without words yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row

from kokubus.messages import Instant
from kokubus_hub.doors import commands
from kokubus_hub.events import service
from kokubus_hub.events.service import Entry, Filter

Tone: TypeAlias = Literal["granted", "denied", "alarm", "plain"]
TAIL = 200
"""How many of the network's newest rows are looked at."""
SHOWN = 6
LATE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One happening. ``code`` names its sentence and ``values`` what stands in it.

    ``notes`` are codes of what else is to be said; ``who`` is None for somebody unknown.
    """

    key: str
    site_id: int
    at: Instant
    tone: Tone
    door: str
    code: str
    who: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def latest(connection: Connection, now: Instant) -> dict[int, list[Line]]:
    """The newest lines of each site, newest first, by site id."""
    found: defaultdict[int, list[Line]] = defaultdict(list)
    lines = [
        *_taps(connection),
        *_passages(connection),
        *_alarms(connection),
        *_commands(connection, now),
        *_codes(connection),
    ]
    for line in sorted(lines, key=lambda line: (line.at, line.key), reverse=True):
        if len(found[line.site_id]) < SHOWN:
            found[line.site_id].append(line)
    return found


def _taps(connection: Connection) -> Iterator[Line]:
    rows = _newest(service.taps(connection, Filter(limit=TAIL)))
    entries = service.entries(connection, rows)
    for row in rows:
        yield _tap(row, entries.get(row.tap))


def _newest(rows: list[Row[Any]]) -> list[Row[Any]]:
    """As many of each site as can be shown at most, so that no more is asked about the rest."""
    found: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in sorted(rows, key=attrgetter("at", "id"), reverse=True):
        if row.site_id is not None and len(found[row.site_id]) < SHOWN:
            found[row.site_id].append(row)
    return [row for of_site in found.values() for row in of_site]


def _tap(row: Row[Any], entry: Entry | None) -> Line:
    """The door's word counts where it has come, else the hub's answer."""
    enforced = row.enforced is not None
    granted = row.enforced if enforced else row.granted
    reason = row.enforced_reason if enforced else row.reason
    known = row.detail if reason == row.reason else None
    tones: Mapping[Any, Tone] = {True: "granted", False: "denied", None: "plain"}
    return Line(
        key=f"tap-{row.id}",
        site_id=row.site_id,
        at=row.at,
        tone=tones[granted],
        door=row.door_name,
        code=reason or "undecided",
        who=row.member_name,
        values=known or {},
        notes=tuple(_notes(row, entry)),
    )


def _notes(row: Row[Any], entry: Entry | None) -> Iterator[str]:
    if entry is not None:
        yield _entry(row, entry)
    if row.by == "edge":
        yield "by_edge"
    if "already_inside" in (row.flags or ()):
        yield "already_inside"
    if "revoked_meanwhile" in (row.flags or ()):
        yield "revoked_meanwhile"
    if row.received_at - row.at > LATE_MS:
        yield "reported_later"


def _entry(row: Row[Any], entry: Entry) -> str:
    if not entry.entered:
        return "no_entry"
    return "went_out" if (entry.side or row.side) == "out" else "went_in"


def _passages(connection: Connection) -> Iterator[Line]:
    """Those that no tap or command explains."""
    for row in _newest(service.unexplained(connection, TAIL)):
        yield Line(
            key=f"passage-{row.id}",
            site_id=row.site_id,
            at=row.at,
            tone="plain",
            door=row.door_name,
            code="left" if row.exit_requested else "passed",
        )


def _alarms(connection: Connection) -> Iterator[Line]:
    for row in _newest(service.said(connection, ("door_forced", "door_held"), TAIL)):
        yield Line(
            key=f"said-{row.id}",
            site_id=row.site_id,
            at=row.at,
            tone="alarm",
            door=row.door_name,
            code=row.kind,
            values=row.detail or {},
        )


def _codes(connection: Connection) -> Iterator[Line]:
    for row in _newest(service.said(connection, ("code_tried",), TAIL)):
        outcome = row.detail["outcome"]
        yield Line(
            key=f"said-{row.id}",
            site_id=row.site_id,
            at=row.at,
            tone="granted" if outcome == "accepted" else "denied",
            door=row.door_name,
            code=f"code_{outcome}",
        )


def _commands(connection: Connection, now: Instant) -> Iterator[Line]:
    for row in commands.latest(connection, SHOWN * 5):
        outcome = commands.outcome(row, now)
        yield Line(
            key=f"command-{row.id}",
            site_id=row.site_id,
            at=row.sent_at,
            tone="granted" if outcome in {"opened", "no_entry"} else "plain",
            door=row.door_name,
            code="command",
            who=row.operator,
            values={"reason": row.reason},
            notes=(f"command_{outcome}",),
        )
