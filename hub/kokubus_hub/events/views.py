"""``/api/v1/events`` and ``/api/v1/passages``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection, Row

from kokubus_hub.context import HubOf, RowId
from kokubus_hub.database import reading
from kokubus_hub.events import service
from kokubus_hub.events.schemas import EventOut, EventPage, EventQuery, PassageOut, PassagePage
from kokubus_hub.problems import not_found
from kokubus_hub.security import Someone

Wanted = Annotated[EventQuery, Query()]
router = APIRouter(tags=["events"])


@router.get("/events", summary="Taps: the answer, and what the door did")
def events(hub: HubOf, _who: Someone, wanted: Wanted) -> EventPage:
    """Newest first; with ``after`` oldest first, to follow what happens."""
    with reading(hub.engine) as connection:
        rows = service.taps(connection, wanted.filter)
        items = _out(connection, rows)
    return EventPage(items=items, next=_next(rows, wanted.limit))


@router.get("/events/{event}", summary="One tap")
def event(event: RowId, hub: HubOf, _who: Someone) -> EventOut:
    """The tap, the hub's decision, and what the door did."""
    with reading(hub.engine) as connection:
        row = service.tap_by_id(connection, event)
        if row is None:
            raise not_found("event", event)
        return _out(connection, [row])[0]


@router.get("/passages", summary="Who went through doors")
def passages(hub: HubOf, _who: Someone, wanted: Wanted) -> PassagePage:
    """Newest first; with ``after`` oldest first."""
    with reading(hub.engine) as connection:
        rows = service.passages(connection, wanted.filter)
    return PassagePage(items=[PassageOut.of(row) for row in rows], next=_next(rows, wanted.limit))


def _out(connection: Connection, rows: list[Row[Any]]) -> list[EventOut]:
    entries = service.entries(connection, rows)
    return [EventOut.of(row, entries.get(row.tap)) for row in rows]


def _next(rows: list[Row[Any]], limit: int) -> int | None:
    return int(rows[-1].id) if len(rows) == limit else None
