"""Errors of the web: ``application/problem+json`` (RFC 9457) with a sentence for who can act."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from kokubus.errors import KokubusError
from kokubus_hub.i18n import marked as _
from kokubus_hub.i18n import words
from kokubus_hub.pages import language_of, page

NOWHERE = _("There is nothing at this address.")
AWAY = _("The hub cannot use its database now; nothing was changed. Try again.")
MISTAKE = _("The hub made a mistake; its log says which. Nothing was changed.")
UNKEPT = "The database cannot hold a value of this request, such as a NUL character; leave it out."
MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger()


class ProblemError(KokubusError):
    """A request cannot be done; ``str(error)`` says what is wrong and what to do."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.errors = errors


class Problem(BaseModel):
    """What every error looks like."""

    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What is wrong and what to do", "content": _CONTENT},
    "5XX": {"description": "The hub cannot do this now", "content": _CONTENT},
}
"""For OpenAPI: every operation may answer so."""


def not_found(what: str, name: object) -> ProblemError:
    """404 for a name the caller chose."""
    return ProblemError(404, f"There is no {what} {str(name)[:80]!r}.")


def install(app: FastAPI) -> None:
    """Let every error leave the app as a problem."""
    app.add_exception_handler(KokubusError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(DataError, _unkept)
    app.add_exception_handler(Exception, _unforeseen)


def answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """The response that carries a problem: a page for whoever looks at one, else JSON."""
    if _looks(request):
        return page(request, "problem.html", status, detail=detail)
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def _looks(request: Request) -> bool:
    asks = request.headers.get("Accept", "").startswith("text/html")
    return asks and not request.url.path.startswith("/api/v1/")


def _ours(request: Request, error: Exception) -> Response:
    if isinstance(error, ProblemError):
        said = _said(request, str(error))
        return answer(request, error.status, said, error.headers, error.errors)
    return answer(request, 422, str(error))


def _said(request: Request, detail: str) -> str:
    """In the reader's language; programs, which name none, read English."""
    named = "Accept-Language" in request.headers
    return words(language_of(request)).say(detail) if named else detail


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    detail = _said(request, NOWHERE) if error.status_code == 404 else str(error.detail)
    return answer(request, error.status_code, detail, error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    """Says where and what, never the value: it may be a UID or a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    found = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": str(one["msg"])}
        for one in error.errors()
    ]
    return answer(request, 422, f"{found[0]['where']}: {found[0]['what']}", errors=found)


def _database(request: Request, error: Exception) -> Response:
    log.error("database_unavailable", error=str(getattr(error, "orig", error)))
    return answer(request, 503, _said(request, AWAY))


def _unkept(request: Request, _error: Exception) -> Response:
    return answer(request, 422, UNKEPT)


def _unforeseen(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", None)  # an address may hold a token
    log.error("unforeseen", route=route, error=type(error).__name__)
    return answer(request, 500, _said(request, MISTAKE))
