"""``/api/v1/rooms`` and ``/rooms``: for coordinators; nobody else is shown anything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from kokubus_hub.context import Hub, HubOf
from kokubus_hub.database import reading, writing
from kokubus_hub.i18n import words
from kokubus_hub.occupancy import labels
from kokubus_hub.pages import language_of, page
from kokubus_hub.problems import not_found
from kokubus_hub.rooms import service
from kokubus_hub.rooms.schemas import HeadCountIn, RoomSeenOut
from kokubus_hub.rooms.service import RoomSeen
from kokubus_hub.rooms.words import FAULTS, NAMES, PARAMETERS, reasons
from kokubus_hub.security import COOKIE, Someone, SomeoneOrNot, check_form, of_cookie

router = APIRouter(prefix="/rooms", tags=["rooms"])
pages = APIRouter(prefix="/rooms", include_in_schema=False)


@router.get("/{room}", summary="One room: how many people, and why that is believed")
def room(request: Request, room: str, hub: HubOf, _who: Someone) -> RoomSeenOut:
    """The estimate with its interval, each sensor's word, its health, and the calibration."""
    return RoomSeenOut.of(_seen(hub, room), words(language_of(request)))


@router.post("/{room}/head-counts", status_code=202, summary="Say how many people are there")
def count(room: str, counted: HeadCountIn, hub: HubOf, who: Someone) -> None:
    """Kept with who said so; the count follows within a second or two."""
    _count(hub, room, counted.people, who.operator_id)


@pages.get("/{room}", response_class=HTMLResponse)
def look(
    request: Request, room: str, hub: HubOf, who: SomeoneOrNot, thanks: bool = False
) -> Response:
    """The room's page; who is not signed in is asked to."""
    if who is None:
        return RedirectResponse("/sign-in", 303)
    seen = _seen(hub, room)
    said = words(language_of(request))
    return page(
        request,
        "room.html",
        room=seen,
        count=seen.estimate,
        reasons=list(reasons(seen.estimate, said)) if seen.estimate else [],
        names=NAMES,
        faults=FAULTS,
        parameters=PARAMETERS,
        who=who,
        thanks=thanks,
    )


@pages.post("/{room}/head-counts")
def count_by_form(
    request: Request,
    room: str,
    hub: HubOf,
    people: Annotated[int, Form(ge=0, le=1_000)],
    csrf: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """The same from the room's page; its hidden token stands in for the header."""
    who = of_cookie(hub, request.cookies.get(COOKIE))
    if who is None:
        return RedirectResponse("/sign-in", 303)
    check_form(request, who, csrf)
    _count(hub, room, people, who.operator_id)
    return RedirectResponse(f"/rooms/{room}?thanks=true", 303)


def _seen(hub: Hub, slug: str) -> RoomSeen:
    with reading(hub.engine) as connection:
        found = service.seen(connection, slug, hub.now())
    if found is None:
        raise not_found("room", slug)
    return found


def _count(hub: Hub, slug: str, people: int, operator_id: int) -> None:
    with writing(hub.engine) as connection:
        found = service.room_of(connection, slug)
        if found is None:
            raise not_found("room", slug)
        labels.count(connection, found[1], people, operator_id, hub.now())
