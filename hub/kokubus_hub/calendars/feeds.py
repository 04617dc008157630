"""The calendars that rooms follow: which there are, how they are, and what each poll did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, delete, insert, select, update

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found

EVERY_MS = 5 * 60_000
AT_LEAST_MS = 60_000
SLOWEST_MS = 6 * 3_600_000
_FEED, _ROOM, _ALARM = table(models.Feed), table(models.Room), table(models.Alarm)
_BOOKING = table(models.Booking)
FEEDS = select(_FEED, _ROOM.c.slug.label("room"), _ROOM.c.site_id).join_from(_FEED, _ROOM)
_PURPOSE = "feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A calendar to follow. ``events``: its public events hold their doors open."""

    room: str
    url: str
    every_ms: int = EVERY_MS
    events: bool = False


def find(connection: Connection) -> list[Row[Any]]:
    """All of them, by room."""
    return list(connection.execute(FEEDS.order_by(_ROOM.c.slug)))


def by_room(connection: Connection, room: str) -> Row[Any]:
    """A room's calendar; ProblemError 404."""
    row = connection.execute(FEEDS.where(_ROOM.c.slug == room)).one_or_none()
    if row is None:
        raise not_found("calendar of room", room)
    return row


def due(connection: Connection, now: Instant) -> list[Row[Any]]:
    """Those it is time to look at, the longest waiting first."""
    return list(connection.execute(FEEDS.where(_FEED.c.next_at <= now).order_by(_FEED.c.next_at)))


def follow(connection: Connection, keyring: Keyring, wanted: Wanted, now: Instant) -> Row[Any]:
    """Follow a calendar from now on, in the place of the one before; ProblemError 404 or 422."""
    if not _is_address(wanted.url):
        raise ProblemError(422, "A calendar's address begins with https:// and a server's name.")
    url = wanted.url.replace("webcal://", "https://", 1)
    room = connection.execute(select(_ROOM.c.id).where(_ROOM.c.slug == wanted.room)).scalar()
    if room is None:
        raise not_found("room", wanted.room)
    forget(connection, room, now)
    made = {
        "room_id": room,
        "url": keyring.seal(url.encode(), _PURPOSE),
        "events": wanted.events,
        "every_ms": max(wanted.every_ms, AT_LEAST_MS),
        "next_at": now,
        "created_at": now,
    }
    connection.execute(insert(_FEED).values(made))
    return by_room(connection, wanted.room)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https", "webcal") and bool(parts.hostname) and parts.port != 0
        )
    except ValueError:  # brackets of no address, a port that is no number
        return False


def url_of(feed: Row[Any], keyring: Keyring) -> str:
    """Where it is, in the clear."""
    return keyring.open(feed.url, _PURPOSE).decode()


def conflicts(connection: Connection, feed: Row[Any], now: Instant) -> bool:
    """Whether a booking of its room that is not over found its seats taken."""
    waiting = select(_BOOKING.c.id).where(
        _BOOKING.c.room_id == feed.room_id, _BOOKING.c.end > now, _BOOKING.c.status == "conflict"
    )
    return connection.execute(waiting.limit(1)).first() is not None


def forget(connection: Connection, room: int, now: Instant) -> None:
    """Follow a room's calendar no longer; its bookings stay."""
    row = connection.execute(FEEDS.where(_FEED.c.room_id == room)).one_or_none()
    if row is not None:
        warn(connection, row, None, now)
        connection.execute(delete(_FEED).where(_FEED.c.id == row.id))


def confirm(connection: Connection, room: str, now: Instant) -> Row[Any]:
    """The calendar may shrink to what it was seen to hold; ProblemError 404 or 409."""
    feed = by_room(connection, room)
    if feed.state != "shrunk":
        raise ProblemError(409, "This calendar does not wait for anybody's confirmation.")
    fresh = {"confirmed": feed.shrunk_to, "etag": None, "modified": None, "next_at": now}
    connection.execute(update(_FEED).where(_FEED.c.id == feed.id).values(**fresh))
    return by_room(connection, room)


def poll_now(connection: Connection, room: str, now: Instant) -> Row[Any]:
    """Look at it at once, whatever its server said before; ProblemError 404."""
    feed = by_room(connection, room)
    again = {"next_at": now, "etag": None, "modified": None}
    connection.execute(update(_FEED).where(_FEED.c.id == feed.id).values(**again))
    return by_room(connection, room)


def keep(connection: Connection, feed: Row[Any], now: Instant, **said: Any) -> None:
    """What a poll found, and when the next one is: later and later while it fails."""
    failures = feed.failures + 1 if said["state"] == "failing" else 0
    wait = feed.every_ms
    if failures:
        wait = min(AT_LEAST_MS * 2 ** min(failures - 1, 12), SLOWEST_MS)
    values = {"failures": failures, "next_at": now + wait, "tried_at": now} | said
    connection.execute(update(_FEED).where(_FEED.c.id == feed.id).values(**values))
    kind = {"failing": "calendar_failed", "shrunk": "calendar_shrunk"}.get(said["state"])
    warn(connection, feed, kind, now, {"room": feed.room, "detail": said.get("detail", "")})


def warn(
    connection: Connection,
    feed: Row[Any],
    kind: str | None,
    now: Instant,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Let the one alarm of this calendar that stands be of ``kind``; None: none stands."""
    wanted = select(_ALARM.c.id, _ALARM.c.kind, _ALARM.c.detail).where(
        _ALARM.c.site_id == feed.site_id,
        _ALARM.c.kind.in_(("calendar_failed", "calendar_shrunk")),
        _ALARM.c.cleared_at.is_(None),
    )
    standing = [row for row in connection.execute(wanted) if row.detail["room"] == feed.room]
    for row in standing:
        if row.kind != kind:
            over = update(_ALARM).where(_ALARM.c.id == row.id)
            connection.execute(over.values(cleared_at=now))
    if kind is not None and kind not in [row.kind for row in standing]:
        said = {"kind": kind, "site_id": feed.site_id, "at": now, "detail": detail}
        connection.execute(insert(_ALARM).values(said))
