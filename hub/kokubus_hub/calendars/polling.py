"""Looks at every calendar when its time has come, in a thread that no policy waits for.

Whatever is wrong with a calendar revokes nothing: an error, a time-out, an answer cut short, a
calendar that is empty. One that has lost more than half of what is booked waits until somebody
confirms that it is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import structlog
from sqlalchemy import Engine, Row

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub.calendars import feeds
from kokubus_hub.database import reading, writing
from kokubus_hub.imports import apart, bookings
from kokubus_hub.imports.bookings import File, Planned, Read
from kokubus_hub.imports.fetch import Fetched, fetch
from kokubus_hub.imports.staging import ImportBusyError, recover
from kokubus_hub.keys import Keyring

TURN_S = 1.0
BUSY_MS = 15_000
log = structlog.get_logger()


class Poller:
    """`turn` looks at the calendars that are due. ``private``: hosts that need not be public."""

    def __init__(
        self,
        engine: Engine,
        keyring: Keyring,
        clock: Callable[[], Instant],
        private: Collection[str] = (),
        read: Read = apart.read,
    ) -> None:
        self._engine = engine
        self._keyring = keyring
        self._clock = clock
        self._private = private
        self._read = read

    def turn(self) -> int:
        """How many were looked at."""
        with reading(self._engine) as connection:
            due = feeds.due(connection, self._clock())
        for feed in due:
            self._poll(feed)
        return len(due)

    def _poll(self, feed: Row[Any]) -> None:
        try:
            self._look(feed)
        except ImportBusyError:
            self._keep(feed, state=feed.state, next_at=self._clock() + BUSY_MS)
        except KokubusError as error:
            said = str(error).removesuffix("\nnothing was imported")[:500]
            log.warning("calendar_failed", room=feed.room, error=said)
            self._keep(feed, state="failing", detail=said)
        except Exception:  # one calendar's trouble is not the others'
            log.exception("calendar_failed", room=feed.room)
            self._keep(feed, state="failing", detail="unforeseen; the hub's log says more")

    def _look(self, feed: Row[Any]) -> None:
        name = f"calendar of {feed.room}"
        known = None if self._conflicts(feed) else Fetched(None, feed.etag, feed.modified)
        url = feeds.url_of(feed, self._keyring)
        fetched = fetch(name, url, known, self._private)
        if fetched.content is None:  # it is, again perhaps, what was imported
            self._keep(feed, state="ok", detail="", shrunk_to=None, confirmed=None)
            return
        now = self._clock()
        recover(self._engine, now)
        file = File(
            name=name, content=fetched.content, room=feed.room, complete=True, events=feed.events
        )
        planned = bookings.plan(self._engine, file, now, self._read)
        if planned.shrunk and feed.confirmed != planned.fingerprint:
            self._wait(feed, planned)
            return
        bookings.carry_out(self._engine, planned, self._clock)
        self._imported(feed, fetched, planned)

    def _conflicts(self, feed: Row[Any]) -> bool:
        """Whether one of its bookings waits for a seat: it is looked at although nothing is new."""
        with reading(self._engine) as connection:
            return feeds.conflicts(connection, feed, self._clock())

    def _wait(self, feed: Row[Any], planned: Planned) -> None:
        said = (
            f"{planned.lost} of {planned.ahead} bookings are not in it any more; nothing was "
            "changed until somebody confirms it"
        )
        log.warning("calendar_shrunk", room=feed.room, lost=planned.lost, of=planned.ahead)
        self._keep(feed, state="shrunk", detail=said, shrunk_to=planned.fingerprint)

    def _imported(self, feed: Row[Any], fetched: Fetched, planned: Planned) -> None:
        result = planned.result
        if planned.added or planned.updates:
            log.info(
                "calendar_imported",
                room=feed.room,
                added=result.added,
                changed=result.changed,
                cancelled=result.cancelled,
            )
        self._keep(
            feed,
            state="ok",
            detail="",
            etag=fetched.etag,
            modified=fetched.modified,
            imported_at=self._clock(),
            bookings=result.added + result.changed + result.unchanged,
            shrunk_to=None,
            confirmed=None,
        )

    def _keep(self, feed: Row[Any], **said: Any) -> None:
        with writing(self._engine) as connection:
            feeds.keep(connection, feed, self._clock(), **said)


@contextmanager
def polling(poller: Poller) -> Iterator[None]:
    """Poll in a thread for as long as the context lasts."""
    stop = Event()
    thread = Thread(target=_loop, args=(poller, stop), name="calendars", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(feeds.AT_LEAST_MS / 1000)


def _loop(poller: Poller, stop: Event) -> None:
    failing = ""
    while not stop.wait(TURN_S):
        try:
            poller.turn()
            failing = ""
        except Exception as error:  # the database may be away; it is tried again
            if failing != repr(error):
                log.exception("calendars_not_polled")
            failing = repr(error)
