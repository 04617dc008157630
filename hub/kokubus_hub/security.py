"""Who asks, and what a browser is told not to do."""

from __future__ import annotations

from hmac import compare_digest
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kokubus_hub.context import Hub, HubOf, hub_of
from kokubus_hub.database import session_reading
from kokubus_hub.i18n import marked as _
from kokubus_hub.people import service as people
from kokubus_hub.people.service import Started, Who
from kokubus_hub.problems import ProblemError

COOKIE = "kokubus_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_bearer = HTTPBearer(auto_error=False, description="A token of `kokubus hub token`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="A signed-in browser.")


class SecurityHeaders:
    """Adds `HEADERS` to every response; an ASGI layer, so that streams are not held up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and the response back."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), scope)
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def _add(headers: MutableHeaders, scope: Scope) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def who_if_any(
    request: Request,
    hub: HubOf,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Who | None:
    """Who asks, by token or else by cookie; None if nobody we know does.

    Raises 401 for a token that does not hold, and 403 for a change without the form's token.
    """
    if bearer is not None:
        return _by_token(hub, bearer.credentials)
    who = of_cookie(hub, cookie)
    if who is not None and request.method not in SAFE:
        _check_csrf(who, request.headers.get(CSRF_HEADER))
    return who


def who(found: Annotated[Who | None, Depends(who_if_any)]) -> Who:
    """Who asks; 401 if that is nobody."""
    if found is None:
        raise ProblemError(
            401, "Sign in, or send an API token as bearer.", {"WWW-Authenticate": "Bearer"}
        )
    return found


SomeoneOrNot = Annotated[Who | None, Depends(who_if_any)]
Someone = Annotated[Who, Depends(who)]


def of_cookie(hub: Hub, cookie: str | None) -> Who | None:
    """The operator whose session the cookie names."""
    if not cookie:
        return None
    with session_reading(hub.engine) as session:
        return people.session_of(session, cookie, hub.now())


def check_form(request: Request, who: Who, token: str) -> None:
    """403 unless the form's hidden token is the session's."""
    check_origin(request)
    _check_csrf(who, token)


def check_origin(request: Request) -> None:
    """403 for a form that another site's page sent."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise ProblemError(403, _("This form was sent from another site; open the page again."))


def keep(request: Request, response: Response, started: Started) -> None:
    """Give the browser its session."""
    hub = hub_of(request)
    response.set_cookie(
        COOKIE,
        started.token,
        max_age=(started.expires_at - hub.now()) // 1000,
        **cookie_flags(request),
    )


def cookie_flags(request: Request) -> Any:
    """What every cookie of ours has."""
    return {"httponly": True, "samesite": "lax", "secure": request.url.scheme == "https"}


def _by_token(hub: Hub, token: str) -> Who:
    with session_reading(hub.engine) as session:
        found = people.token_of(session, token)
    if found is None:
        raise ProblemError(
            401, "This API token is unknown or revoked.", {"WWW-Authenticate": "Bearer"}
        )
    return found


def _check_csrf(who: Who, token: str | None) -> None:
    if who.csrf is None or not compare_digest(who.csrf.encode(), (token or "").encode()):
        raise ProblemError(403, _("The page is too old to change anything; load it again."))
