"""``/``: the network at this moment, and the stream that keeps it so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from kokubus_hub.context import HubOf
from kokubus_hub.doors.commands import OUTCOMES
from kokubus_hub.i18n import choose, words
from kokubus_hub.live import board as boards
from kokubus_hub.live.cards import fragments
from kokubus_hub.live.feed import Feed
from kokubus_hub.pages import language_of, page, version
from kokubus_hub.security import SomeoneOrNot

LONGEST_S = 600
"""A stream ends after so long; the page opens a new one, and who it is for is asked again."""
router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def live_page(request: Request, hub: HubOf, who: SomeoneOrNot) -> HTMLResponse:
    """The page, complete without any script."""
    board, language = boards.read(hub), language_of(request)
    shown = fragments(board, (language, who is not None))
    outcomes = {status: words(language).say(text) for status, text in OUTCOMES.items()}
    return page(request, "live.html", board=board, who=who, shown=shown, outcomes=outcomes)


@router.get("/live", response_class=EventSourceResponse)
async def live(
    request: Request,
    who: SomeoneOrNot,
    lang: Annotated[str, Query(max_length=8)] = "de",
    page_of: Annotated[str, Query(max_length=16)] = "",
    signed_in: bool = False,
) -> AsyncIterator[ServerSentEvent]:
    """Fragments as they change; ``reload`` where the page is no longer the right one."""
    if page_of != version() or signed_in != (who is not None):
        yield ServerSentEvent(event="reload", raw_data="")
        return
    feed = cast("Feed", request.app.state.feed)
    client = feed.open((choose(lang, None, ""), who is not None))
    deadline = asyncio.get_running_loop().time() + LONGEST_S
    try:
        yield ServerSentEvent(comment="live", retry=1_000)
        while (changed := await client.next(deadline)) is not None:
            yield ServerSentEvent(event="fragments", data=changed)
    finally:
        feed.leave(client)
