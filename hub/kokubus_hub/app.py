"""The ``serve`` role: the live page, the API and its reference, in one process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from sqlalchemy import Engine
from starlette.types import ASGIApp

from kokubus.messages import Instant
from kokubus_hub import health, problems
from kokubus_hub.bookings import views as bookings
from kokubus_hub.broker import Broker
from kokubus_hub.calendars import views as calendars
from kokubus_hub.context import Hub, Publisher
from kokubus_hub.database import engine as engine_for
from kokubus_hub.devices import views as devices
from kokubus_hub.doors import mode_pages
from kokubus_hub.doors import mode_views as modes
from kokubus_hub.doors import views as doors
from kokubus_hub.entitlements import views as entitlements
from kokubus_hub.events import views as events
from kokubus_hub.explain import views as explain
from kokubus_hub.guests import views as guests
from kokubus_hub.keys import Keyring
from kokubus_hub.live import board
from kokubus_hub.live import views as live
from kokubus_hub.live.cards import Cards
from kokubus_hub.live.feed import Feed
from kokubus_hub.metrics import own_health
from kokubus_hub.pages import Static, page
from kokubus_hub.people import views as people
from kokubus_hub.problems import Problem
from kokubus_hub.publisher import Publisher as MqttPublisher
from kokubus_hub.reports import views as reports
from kokubus_hub.rooms import views as rooms
from kokubus_hub.security import SecurityHeaders
from kokubus_hub.settings import Settings
from kokubus_hub.sign_in import views as sign_in
from kokubus_hub.sites import closure_views as closures
from kokubus_hub.sites import views as sites
from kokubus_hub.today import views as today

SHUTDOWN_S = 2
ABOUT = """Sites, doors, people, bookings and events of a KoKubus network.

Send an API token as "Authorization: Bearer ...", or call it from a signed-in browser with the
page's token in X-CSRF-Token. Every error is application/problem+json with a sentence
that says what to do. Instants are ISO 8601 in UTC.
"""


def wall_clock() -> Instant:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def create_app(
    settings: Settings,
    engine: Engine,
    keyring: Keyring,
    publisher: Publisher | None = None,
    now: Callable[[], Instant] = wall_clock,
) -> FastAPI:
    """The whole web application; everything it depends on is passed in."""
    app = bare_app()
    serve_hub(app, Hub(settings, engine, keyring, now, publisher))
    return app


def bare_app() -> FastAPI:
    """Every page and call; of which hub, `serve_hub` says."""
    app = _App(
        title="KoKubus",
        version=version("kokubus"),
        description=ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_life,
        responses=problems.RESPONSES,
    )
    problems.install(app)
    _mount(app)
    return app


def serve_hub(app: FastAPI, hub: Hub) -> None:
    """The application, whose live pages nobody follows yet, shows this hub from now on."""
    beat = partial(_beat, hub.settings, hub.keyring)
    app.state.hub = hub
    app.state.feed = Feed(hub.engine, partial(board.read, hub), Cards().fragments, beat)


def _beat(settings: Settings, keyring: Keyring) -> None:
    health.beat(settings, "serve")
    keyring.refresh()


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; open pages are told to come back."""
    keyring = Keyring.load(settings.keys_dir)
    engine = engine_for(settings.database)
    try:
        with MqttPublisher(Broker.of(settings), "hub:serve") as publisher:
            app = create_app(settings, engine, keyring, publisher)
            _Server(configuration(app, settings)).run()
    finally:
        engine.dispose()


def configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn runs it: no access log (addresses hold sign-in tokens), no waiting at the end."""
    return uvicorn.Config(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


class _App(FastAPI):
    """Says in its OpenAPI what every error looks like; protects even its answer to a mistake."""

    def build_middleware_stack(self) -> ASGIApp:
        return SecurityHeaders(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        schema["components"]["schemas"].setdefault("Problem", Problem.model_json_schema())
        return schema


class _Server(uvicorn.Server):
    """Ends the open streams at once, which otherwise would hold the process for seconds.

    uvicorn's own handler would raise the signal again at the end and kill the process before
    it has put its things away.
    """

    def handle_exit(self, sig: int, frame: object) -> None:
        del sig, frame
        cast("FastAPI", self.config.app).state.feed.ask_to_end()
        self.should_exit = True


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    feed: Feed = app.state.feed
    feed.start()
    try:
        yield
    finally:
        feed.close()


def _mount(app: FastAPI) -> None:
    api = APIRouter(prefix="/api/v1")
    places = (sites, closures, rooms, doors, modes, devices)
    rights = (people, entitlements, bookings, calendars)
    for feature in (*places, *rights, events, explain, reports):
        api.include_router(feature.router)
    app.include_router(api)
    app.include_router(calendars.public)
    app.include_router(live.router)
    app.include_router(reports.pages)
    app.include_router(rooms.pages)
    app.include_router(own_health.router)
    app.include_router(sign_in.router)
    app.include_router(guests.router)
    app.include_router(today.router)
    app.include_router(mode_pages.router)
    app.include_router(_own)
    app.mount("/static", Static(), name="static")


_own = APIRouter(include_in_schema=False)


@_own.get("/docs")
def docs() -> RedirectResponse:
    """Where FastAPI's reference usually is."""
    return RedirectResponse("/api/docs", 308)


@_own.get("/api/docs", response_class=HTMLResponse)
def reference(request: Request) -> HTMLResponse:
    """The API's reference, from its OpenAPI: a page of ours, so that nothing comes from a CDN."""
    app = cast("FastAPI", request.app)
    return page(request, "api_docs.html", api=app.openapi())


@_own.get("/health")
def healthy() -> PlainTextResponse:
    """Whether the web is being served."""
    return PlainTextResponse("ok")
