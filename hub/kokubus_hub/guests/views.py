"""``/pass/{token}``: a guest's PIN, the way and the time, in a few kilobytes without a script."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from kokubus_hub.context import HubOf
from kokubus_hub.database import reading
from kokubus_hub.guests.invitation import invitation
from kokubus_hub.i18n import marked as _
from kokubus_hub.pages import page
from kokubus_hub.people.limits import TooManyAttemptsError
from kokubus_hub.problems import ProblemError

NOBODYS = _("This link is not known here, or it is over. Ask whoever sent it to you.")
WAIT = _("Too many attempts. Please wait a quarter of an hour.")
router = APIRouter(include_in_schema=False)


@router.get("/pass/{token}", response_class=HTMLResponse)
def guest_pass(request: Request, token: str, hub: HubOf) -> Response:
    """Whoever has the link sees the PIN, so nothing keeps or passes on its address."""
    address = request.client.host if request.client else ""
    try:
        hub.guesses.check(token, address, hub.now())
    except TooManyAttemptsError as error:
        raise ProblemError(429, WAIT) from error
    with reading(hub.engine) as connection:
        found = invitation(connection, hub, token[:100])
    if found is None:
        hub.guesses.failed(token, address, hub.now())
        raise ProblemError(404, NOBODYS)
    response = page(request, "pass.html", invitation=found, now=hub.now())
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
