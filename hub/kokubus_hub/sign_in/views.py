"""Signing in with a password or a one-time link, and signing out."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from kokubus_hub.context import Hub, HubOf
from kokubus_hub.database import session_reading, session_writing
from kokubus_hub.i18n import marked as _
from kokubus_hub.i18n import words
from kokubus_hub.pages import language_of, page
from kokubus_hub.people import service as people
from kokubus_hub.people.limits import TooManyAttemptsError
from kokubus_hub.people.service import SignInError
from kokubus_hub.security import COOKIE, SomeoneOrNot, check_form, check_origin, cookie_flags, keep
from kokubus_hub.security import of_cookie as session_of_cookie

FORM_COOKIE = "kokubus_form"
WRONG = _("E-mail address or password are wrong.")
STALE = _("This page was open for too long. Please try again.")
WAIT = _("Too many attempts. Please wait a quarter of an hour.")
USED = _("This sign-in link was used already or is over. Ask for a new one.")
_one_at_a_time = Lock()  # a check takes 64 MiB and a core on purpose
Text = Annotated[str, Form(max_length=300)]
router = APIRouter(include_in_schema=False)


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(request: Request, who: SomeoneOrNot) -> Response:
    """The form."""
    return RedirectResponse("/", 303) if who else _form(request)


@router.post("/sign-in")
def sign_in(request: Request, hub: HubOf, email: Text, password: Text, form: Text = "") -> Response:
    """Check the password, slowly, and never twice at a time."""
    check_origin(request)
    if not _same_form(request, form):
        return _form(request, STALE, 403, email)
    address = request.client.host if request.client else ""
    try:
        hub.limits.check(email, address, hub.now())
        operator = _checked(hub, email, password)
    except TooManyAttemptsError as error:
        response = _form(request, WAIT, 429, email)
        response.headers["Retry-After"] = str(max(1, (error.retry_at - hub.now()) // 1000))
        return response
    except SignInError:
        hub.limits.failed(email, address, hub.now())
        return _form(request, WRONG, 401, email)
    hub.limits.succeeded(email)
    return _signed_in(request, hub, operator)


@router.get("/sign-in/{token}", response_class=HTMLResponse)
def link_page(request: Request, token: str) -> HTMLResponse:
    """A page that uses the link by itself: whatever only previews addresses does not."""
    return _with_form_cookie(request, "sign_in_link.html", token=token[:100])


@router.post("/sign-in/{token}")
def use_link(request: Request, token: str, hub: HubOf, form: Text = "") -> Response:
    """Sign in once by link."""
    check_origin(request)
    if not _same_form(request, form):
        return _form(request, STALE, 403)
    try:
        with session_writing(hub.engine) as session:
            operator = people.use_link(session, token, hub.now())
    except SignInError:
        return _form(request, USED, 401)
    return _signed_in(request, hub, operator)


@router.post("/sign-out")
def sign_out(request: Request, hub: HubOf, csrf: Text = "") -> Response:
    """End the session, here and in the database."""
    cookie = request.cookies.get(COOKIE)
    who = session_of_cookie(hub, cookie)
    if who is not None and cookie:
        check_form(request, who, csrf)
        with session_writing(hub.engine) as session:
            people.end_session(session, cookie)
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, **cookie_flags(request))
    return response


def _checked(hub: Hub, email: str, password: str) -> int:
    with _one_at_a_time, session_reading(hub.engine) as session:
        return people.check_password(session, email, password)


def _signed_in(request: Request, hub: Hub, operator: int) -> Response:
    with session_writing(hub.engine) as session:
        started = people.start_session(session, operator, hub.now())
    response = RedirectResponse("/", 303)
    keep(request, response, started)
    return response


def _form(request: Request, wrong: str = "", status: int = 200, email: str = "") -> HTMLResponse:
    said = words(language_of(request)).say(wrong) if wrong else ""
    return _with_form_cookie(request, "sign_in.html", status, wrong=said, email=email)


def _with_form_cookie(
    request: Request, template: str, status: int = 200, **values: str
) -> HTMLResponse:
    """The page's form carries what its cookie does: no other site can send it."""
    token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(16)
    response = page(request, template, status, form=token, **values)
    response.set_cookie(FORM_COOKIE, token, max_age=3600, path="/sign-in", **cookie_flags(request))
    return response


def _same_form(request: Request, form: str) -> bool:
    held = request.cookies.get(FORM_COOKIE, "")
    return bool(held) and compare_digest(held.encode(), form.encode())
