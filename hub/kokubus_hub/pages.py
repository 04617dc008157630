"""Pages from templates: in the reader's language, with what every page needs."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from kokubus_hub.i18n import LANGUAGES, choose, marked, words
from kokubus_hub.times import iso

WEB = Path(__file__).parent / "web"
STATIC = WEB / "static"
LANGUAGE_COOKIE = "kokubus_language"
_YEAR_S = 365 * 86_400


class Static(StaticFiles):
    """Static files; those asked for by their content's version may be kept for a year."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        lasting = scope["query_string"].startswith(b"v=") or path.startswith("fonts")
        keeps = f"public, max-age={_YEAR_S}, immutable" if lasting else "no-cache"
        response.headers["Cache-Control"] = keeps
        return response


@lru_cache
def static(name: str) -> str:
    """The address of a static file, changed whenever its content is."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


@lru_cache
def version() -> str:
    """Changes whenever the page's looks or behaviour do: then open pages load again."""
    files = sorted([*STATIC.glob("*.*"), *(WEB / "templates").glob("*.html")])
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def language_of(request: Request) -> str:
    """The language to answer this request in."""
    accepted = Headers(scope=request.scope).get("Accept-Language", "")
    remembered = request.cookies.get(LANGUAGE_COOKIE)
    return choose(request.query_params.get("lang"), remembered, accepted)


def render(language: str, template: str, **values: Any) -> str:
    """A template in words of one language."""
    return _environment(language).get_template(template).render(**values)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page; a language asked for by ``?lang=`` is remembered."""
    language = language_of(request)
    html = render(language, template, path=request.url.path, **values)
    response = HTMLResponse(html, status, headers={"Vary": "Accept-Language, Cookie"})
    if request.query_params.get("lang") == language:
        secure = request.url.scheme == "https"
        response.set_cookie(
            LANGUAGE_COOKIE, language, _YEAR_S, samesite="lax", httponly=True, secure=secure
        )
    return response


@lru_cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    chosen = words(language)
    made.install_gettext_translations(chosen.translations, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    made.globals.update(
        words=chosen,
        in_words=words,
        marked=marked,
        language=language,
        languages=LANGUAGES,
        static=static,
        version=version,
        iso=iso,
    )
    return made
