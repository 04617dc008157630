"""``/api/v1/calendars``, ``/inbox``, ``/hooks``, and the calendars that are published."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from kokubus_hub.bookings import pushing
from kokubus_hub.bookings.schemas import BookingOut
from kokubus_hub.bookings.views import one
from kokubus_hub.bookings.wanted import Source
from kokubus_hub.calendars import export, feeds, hooks, inbox
from kokubus_hub.calendars.inbox import Answer
from kokubus_hub.calendars.schemas import (
    AnswerIn,
    DoubtOut,
    DoubtPage,
    FeedIn,
    FeedOut,
    HookIn,
    LinkOut,
)
from kokubus_hub.context import Cursor, Hub, HubOf, Limit, RowId, hub_of
from kokubus_hub.database import reading, writing
from kokubus_hub.models import Doubt, table
from kokubus_hub.problems import ProblemError
from kokubus_hub.security import Someone

BODY_LIMIT = 64 * 1024
CALENDAR = "text/calendar; charset=utf-8"
router = APIRouter(tags=["calendars"])
public = APIRouter(include_in_schema=False)
Token = Annotated[str, Path(min_length=16, max_length=64)]
_DOUBT = table(Doubt)


@router.get("/calendars", summary="The calendars that rooms follow")
def calendars(hub: HubOf, _who: Someone) -> list[FeedOut]:
    """With what the last look at each found."""
    with reading(hub.engine) as connection:
        return [FeedOut.model_validate(row) for row in feeds.find(connection)]


@router.get("/calendars/{room}", summary="A room's calendar")
def calendar(room: str, hub: HubOf, _who: Someone) -> FeedOut:
    """With what the last look at it found."""
    with reading(hub.engine) as connection:
        return FeedOut.model_validate(feeds.by_room(connection, room))


@router.put("/calendars/{room}", summary="Follow a calendar")
def follow(room: str, said: FeedIn, hub: HubOf, who: Someone) -> FeedOut:
    """It is looked at within seconds, and its events become bookings of the room."""
    with writing(hub.engine, who.operator_id) as connection:
        row = feeds.follow(connection, hub.keyring, said.wanted(room), hub.now())
        return FeedOut.model_validate(row)


@router.delete("/calendars/{room}", status_code=204, summary="Follow a calendar no longer")
def unfollow(room: str, hub: HubOf, who: Someone) -> None:
    """Its bookings stay."""
    with writing(hub.engine, who.operator_id) as connection:
        feeds.forget(connection, feeds.by_room(connection, room).room_id, hub.now())


@router.post("/calendars/{room}/confirm", summary="Let a calendar shrink")
def confirm(room: str, hub: HubOf, who: Someone) -> FeedOut:
    """Bookings that are no longer in it are cancelled, if it still holds what it held."""
    with writing(hub.engine, who.operator_id) as connection:
        return FeedOut.model_validate(feeds.confirm(connection, room, hub.now()))


@router.post("/calendars/{room}/poll", summary="Look at a calendar now")
def poll(room: str, hub: HubOf, who: Someone) -> FeedOut:
    """Within seconds; its state says what was found."""
    with writing(hub.engine, who.operator_id) as connection:
        return FeedOut.model_validate(feeds.poll_now(connection, room, hub.now()))


@router.get("/inbox", summary="What somebody has to say about imported bookings")
def doubts(
    hub: HubOf, _who: Someone, after: Cursor = 0, limit: Limit = 100, settled: bool = False
) -> DoubtPage:
    """Those that are open; with ``settled`` the others."""
    state = _DOUBT.c.settled.is_not(None) if settled else _DOUBT.c.settled.is_(None)
    query = inbox.DOUBTS.where(state, _DOUBT.c.id > after).order_by(_DOUBT.c.id).limit(limit)
    with reading(hub.engine) as connection:
        rows = connection.execute(query).all()
    items = [DoubtOut.of(row) for row in rows]
    return DoubtPage(items=items, next=rows[-1].id if len(rows) == limit else None)


@router.post("/inbox/{doubt}", summary="Say it")
def settle(doubt: RowId, said: AnswerIn, hub: HubOf, who: Someone) -> DoubtOut:
    """An address is remembered for all calendars, and this one is read again."""
    answer = Answer(member=said.member, guest=said.guest)
    with writing(hub.engine, who.operator_id) as connection:
        return DoubtOut.of(inbox.settle(connection, doubt, answer, hub.now()))


@router.post("/rooms/{room}/calendar-link", status_code=201, summary="Publish a room's bookings")
def room_link(room: str, hub: HubOf, who: Someone) -> LinkOut:
    """A secret address without names of people; an older one is over."""
    with writing(hub.engine, who.operator_id) as connection:
        return _link(export.link(connection, hub.now(), room=room))


@router.delete("/rooms/{room}/calendar-link", status_code=204, summary="Publish them no longer")
def no_room_link(room: str, hub: HubOf, who: Someone) -> None:
    """Whoever has the address finds nothing there."""
    with writing(hub.engine, who.operator_id) as connection:
        export.revoke(connection, hub.now(), room=room)


@router.post("/members/{member}/calendar-link", status_code=201, summary="A member's own calendar")
def member_link(member: str, hub: HubOf, who: Someone) -> LinkOut:
    """A secret address for the member alone; an older one is over."""
    with writing(hub.engine, who.operator_id) as connection:
        return _link(export.link(connection, hub.now(), member=member))


@router.delete("/members/{member}/calendar-link", status_code=204, summary="End it")
def no_member_link(member: str, hub: HubOf, who: Someone) -> None:
    """Whoever has the address finds nothing there."""
    with writing(hub.engine, who.operator_id) as connection:
        export.revoke(connection, hub.now(), member=member)


@router.post("/hooks/{platform}", summary="A platform's signed push")
async def hook(
    platform: str,
    request: Request,
    x_kokubus_timestamp: Annotated[str | None, Header()] = None,
    x_kokubus_signature: Annotated[str | None, Header()] = None,
) -> BookingOut:
    """As PUT by uid, for platforms that sign instead of holding a token.

    The body is a booking with its `uid`. `X-Kokubus-Timestamp`: seconds since 1970;
    `X-Kokubus-Signature`: `sha256=` and the HMAC-SHA256 of `<timestamp>.<body>` under the
    secret of `kokubus hub platform add`, in hex.
    """
    body = await _body(request)
    signed = (x_kokubus_timestamp, x_kokubus_signature)
    return await run_in_threadpool(_pushed, hub_of(request), platform, signed, body)


@public.get("/calendar/{token}.ics")
def published(token: Token, hub: HubOf) -> Response:
    """A room's or a member's bookings, for whoever has the address."""
    with reading(hub.engine) as connection:
        content = export.calendar(connection, token, hub.now())
    return Response(content, media_type=CALENDAR, headers={"Cache-Control": "private, max-age=300"})


def _pushed(
    hub: Hub, platform: str, signed: tuple[str | None, str | None], body: bytes
) -> BookingOut:
    now = hub.now()
    with writing(hub.engine) as connection:
        held = hooks.accept(connection, hub.keyring, platform, signed, body, now)
        said = _said(body)
        wanted = replace(said.wanted, municipality=held.municipality_id)
        source = Source(name=f"push:{held.slug}", uid=said.uid)
        row = pushing.push(connection, source, wanted, now, cancelled=said.cancelled)
        return one(hub, connection, row)


def _said(body: bytes) -> HookIn:
    try:
        return HookIn.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            raise ProblemError(413, f"The body is over {BODY_LIMIT >> 10} KiB.")
    return body


def _link(token: str) -> LinkOut:
    return LinkOut(path=f"/calendar/{token}.ics")
