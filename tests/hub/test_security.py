"""What a browser is told not to do, and what nobody is told."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from tests.hub.web_world import Stage, World

from kokubus_hub.pages import STATIC, WEB
from kokubus_hub.security import COOKIE

OPEN_TO_ANYBODY = {
    "/",
    "/live",
    "/docs",
    "/api/docs",
    "/health",
    "/sign-in",
    "/sign-in/{token}",
    "/sign-out",
}
BY_SECRET = {"/pass/{token}", "/calendar/{token}.ics"}
"""Whoever has the link, which nobody can guess."""
SIGNED_IN = {"/modes", "/reports", "/reports/{scope}/{name}", "/rooms/{room}", "/today/{site}"}
FORMS = {
    "/modes/{mode}/end",
    "/rooms/{room}/head-counts",
    "/today/{site}/claim",
    "/today/{site}/invite",
    "/today/{site}/unlock",
}
"""Of those pages; each is refused without the session and its token, in the page's own tests."""
ENROLMENT = {"/api/v1/enrolment", "/api/v1/enrolment/key"}
"""A device without an identity shows a code instead: tests/integration/test_enrol.py."""


def operations(anybody: httpx.Client) -> list[tuple[str, str]]:
    paths: dict[str, dict[str, Any]] = anybody.get("/api/openapi.json").json()["paths"]
    return [(method, path) for path, methods in paths.items() for method in methods]


def test_the_api_answers_nobody_it_does_not_know(anybody: httpx.Client) -> None:
    asked = operations(anybody)
    assert len(asked) >= 20
    for method, path in asked:
        if path in ENROLMENT:
            continue
        answer = anybody.request(method, re.sub(r"\{\w+\}", "1", path), json={})
        assert answer.status_code == 401, (method, path)
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_nothing_else_is_served(stage: Stage, anybody: httpx.Client) -> None:
    documented = {path for _, path in operations(anybody)}
    served = {path for path in _paths(stage.app.routes) if not path.startswith("/static")}
    rest = {path.replace(":path", "") for path in served} - documented - {"/api/openapi.json"}
    assert rest == OPEN_TO_ANYBODY | BY_SECRET | SIGNED_IN | FORMS


@pytest.mark.parametrize(
    "page", ["/modes", "/reports", "/reports/sites/{}", "/rooms/{}-hall", "/today/{}"]
)
def test_pages_to_work_with_are_for_whoever_is_signed_in(anybody: httpx.Client, page: str) -> None:
    answer = anybody.get(page.format("ettmannsweiler"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


def _paths(routes: Any) -> set[str]:
    found: set[str] = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            prefix = getattr(getattr(route, "include_context", None), "prefix", "")
            found |= {prefix + path for path in _paths(inner.routes)}
        elif isinstance(route, APIRoute) or hasattr(route, "path"):
            found.add(route.path)
    return found


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/v1/sites", "/static/live.js", "/nowhere"])
def test_every_answer_tells_the_browser_what_it_may_not_do(
    anybody: httpx.Client, path: str
) -> None:
    headers = anybody.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_are_not_kept_but_versioned_files_are(anybody: httpx.Client) -> None:
    page = anybody.get("/")
    assert page.headers["Cache-Control"] == "no-store"
    styles = re.search(r'href="(/static/kokubus\.css\?v=\w+)"', page.text)
    assert styles
    assert "immutable" in anybody.get(styles[1]).headers["Cache-Control"]
    assert anybody.get("/static/kokubus.css").headers["Cache-Control"] == "no-cache"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(
    world: World, anybody: httpx.Client
) -> None:
    address = f"/sign-in/{world.link(world.operator())}"
    form = anybody.get(address).cookies["kokubus_form"]
    answer = anybody.post(address, data={"form": form})
    cookie = next(one for one in answer.headers.get_list("Set-Cookie") if COOKIE in one)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # plain HTTP on loopback


def test_behind_https_cookies_stay_there(world: World, anybody: httpx.Client) -> None:
    anybody.headers["X-Forwarded-Proto"] = "https"
    answer = anybody.get("/sign-in")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_nothing_is_loaded_from_elsewhere() -> None:
    files = [*WEB.glob("templates/*.html"), *STATIC.glob("*.css"), *STATIC.glob("*.js")]
    assert len(files) >= 10
    for file in files:
        assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", file.read_text()), (
            file
        )


def test_no_page_holds_inline_script_or_style(world: World, anybody: httpx.Client) -> None:
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    for path in ("/", "/api/docs", "/sign-in/some-token"):
        html = anybody.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", html)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)


def test_what_people_wrote_is_shown_as_they_wrote_it(world: World, anybody: httpx.Client) -> None:
    attack = "<img src=x onerror=alert(1)>"
    world.tap("ettmannsweiler-front", world.member(attack), "booked", granted=True)
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    html = anybody.get("/").text
    assert attack not in html
    assert "&lt;img src=x" in html


def test_a_wrong_value_is_not_repeated(api: httpx.Client) -> None:
    answer = api.post("/api/v1/badges", json={"uid": ["04A3C6CAE26180"]})
    assert answer.status_code == 422
    assert "04A3C6CAE26180" not in answer.text
    assert answer.json()["errors"][0]["where"] == "body.uid"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b'"x"'])
def test_a_damaged_body_is_said_to_be_one(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/api/v1/members", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_database_that_is_away_is_said_so(
    world: World, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("select", {}, Exception("disk is full"))

    monkeypatch.setattr("kokubus_hub.sites.views.network", away)
    answer = api.get("/api/v1/sites")
    assert answer.status_code == 503
    assert "Try again" in answer.json()["detail"]


def test_a_mistake_of_ours_tells_no_details(
    world: World,
    api: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("kokubus_hub.sites.views.network", broken)
    answer = api.get("/api/v1/sites")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    logged = capsys.readouterr().out
    assert "route=/sites" in logged
    assert "secret" not in logged


def test_a_method_that_is_not_there_is_a_problem_too(api: httpx.Client) -> None:
    answer = api.put("/api/v1/sites")
    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_openapi_names_every_error(anybody: httpx.Client) -> None:
    schema = anybody.get("/api/openapi.json").json()
    assert "Problem" in schema["components"]["schemas"]
    for methods in schema["paths"].values():
        for operation in methods.values():
            assert "application/problem+json" in operation["responses"]["4XX"]["content"]
            assert "422" not in operation["responses"]


def test_the_reference_names_every_operation(anybody: httpx.Client) -> None:
    assert anybody.get("/docs").headers["Location"] == "/api/docs"
    html = anybody.get("/api/docs").text
    for _, path in operations(anybody):
        assert f"<code>{path}</code>" in html
    links = set(re.findall(r'href="#(\w+)"', html)) - {"main"}
    assert links <= set(re.findall(r'id="(\w+)"', html))


def test_whoever_looks_at_a_page_reads_a_page(anybody: httpx.Client) -> None:
    looking = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "de"}
    answer = anybody.get("/nowhere", headers=looking)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Unter dieser Adresse gibt es nichts." in answer.text
    assert anybody.get("/api/v1/nowhere", headers=looking).json()["status"] == 404
