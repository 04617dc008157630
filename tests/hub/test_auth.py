"""Signing in: by password, by link, by token; and out again."""

from __future__ import annotations

import re

import argon2
import httpx
import pytest
from argon2 import PasswordHasher
from tests.hub.small_hub import rows
from tests.hub.web_world import OPERATOR, PASSWORD, World

from kokubus_hub import models
from kokubus_hub.database import session_writing
from kokubus_hub.people import service as people
from kokubus_hub.security import COOKIE, CSRF_HEADER

DAY_MS = 86_400_000
SIGN_OUT = 'action="/sign-out"'


def hidden(page: httpx.Response, name: str = "form") -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return found[1]


def sign_in(
    browser: httpx.Client, password: str = PASSWORD, email: str = OPERATOR
) -> httpx.Response:
    form = hidden(browser.get("/sign-in"))
    return browser.post("/sign-in", data={"email": email, "password": password, "form": form})


def test_the_right_password_signs_in(world: World, anybody: httpx.Client) -> None:
    world.operator(password=True)
    answer = sign_in(anybody, email=OPERATOR.upper())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert SIGN_OUT in anybody.get("/").text


@pytest.mark.parametrize(
    ("email", "password"), [(OPERATOR, "wrong password"), ("nobody@example.org", PASSWORD)]
)
def test_a_wrong_one_does_not_and_does_not_say_which_part(
    world: World, anybody: httpx.Client, email: str, password: str
) -> None:
    world.operator(password=True)
    answer = sign_in(anybody, password, email)
    assert answer.status_code == 401
    assert "E-Mail-Adresse oder Passwort stimmen nicht." in answer.text
    assert COOKIE not in anybody.cookies
    assert password not in answer.text


@pytest.mark.slow
def test_guessing_is_slowed_down_even_with_the_right_one_at_last(
    world: World, anybody: httpx.Client
) -> None:
    world.operator(password=True)
    guesses = [sign_in(anybody, f"guess number {n}").status_code for n in range(6)]
    assert guesses == [401] * 5 + [429]
    blocked = sign_in(anybody)
    assert blocked.status_code == 429
    assert int(blocked.headers["Retry-After"]) == 900
    world.now += 15 * 60_000
    assert sign_in(anybody).status_code == 303


def test_a_form_from_elsewhere_is_refused(world: World, anybody: httpx.Client) -> None:
    world.operator(password=True)
    data = {"email": OPERATOR, "password": PASSWORD, "form": "guessed"}
    assert anybody.post("/sign-in", data=data).status_code == 403
    form = hidden(anybody.get("/sign-in"))
    elsewhere = anybody.post(
        "/sign-in", data=data | {"form": form}, headers={"Origin": "https://elsewhere.example"}
    )
    assert elsewhere.status_code == 403
    assert not rows(world.engine, models.Session)


def test_a_link_signs_in_once(world: World, anybody: httpx.Client) -> None:
    address = f"/sign-in/{world.link(world.operator())}"
    form = hidden(anybody.get(address))
    assert not rows(world.engine, models.Session)  # a preview has used nothing up
    assert anybody.post(address, data={"form": form}).status_code == 303
    assert SIGN_OUT in anybody.get("/").text
    anybody.cookies.delete(COOKIE)
    again = anybody.post(address, data={"form": form})
    assert again.status_code == 401
    assert "abgelaufen" in again.text


def test_a_link_is_used_by_our_page_only(world: World, anybody: httpx.Client) -> None:
    address = f"/sign-in/{world.link(world.operator())}"
    assert anybody.post(address, data={"form": ""}).status_code == 403
    assert not rows(world.engine, models.Session)


def test_an_old_link_is_worth_nothing(world: World, anybody: httpx.Client) -> None:
    address = f"/sign-in/{world.link(world.operator())}"
    form = hidden(anybody.get(address))
    world.now += DAY_MS
    assert anybody.post(address, data={"form": form}).status_code == 401


def test_who_is_signed_in_needs_no_form(world: World, anybody: httpx.Client) -> None:
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    assert anybody.get("/sign-in").headers["Location"] == "/"


def test_signing_out_ends_the_session_itself(world: World, anybody: httpx.Client) -> None:
    token = world.session(world.operator()).token
    anybody.cookies.set(COOKIE, token)
    csrf = hidden(anybody.get("/"), "csrf")
    answer = anybody.post("/sign-out", data={"csrf": csrf})
    assert f'{COOKIE}=""' in answer.headers["Set-Cookie"]
    assert not rows(world.engine, models.Session)
    anybody.cookies.set(COOKIE, token)
    assert anybody.get("/api/v1/sites").status_code == 401


def test_nobody_can_sign_another_out(world: World, anybody: httpx.Client) -> None:
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    assert anybody.post("/sign-out", data={"csrf": "guessed"}).status_code == 403
    assert rows(world.engine, models.Session)


def test_a_session_ends_by_itself(world: World, anybody: httpx.Client) -> None:
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    assert anybody.get("/api/v1/sites").status_code == 200
    world.now += people.SESSION_MS
    assert anybody.get("/api/v1/sites").status_code == 401


def test_a_browser_changes_nothing_without_the_pages_token(
    world: World, anybody: httpx.Client
) -> None:
    started = world.session(world.operator())
    anybody.cookies.set(COOKIE, started.token)
    body = {"name": "Ada Beispiel"}
    for headers in ({}, {CSRF_HEADER: "guessed"}, {CSRF_HEADER: ""}):
        answer = anybody.post("/api/v1/members", json=body, headers=headers)
        assert answer.status_code == 403
    assert not rows(world.engine, models.Member)
    answer = anybody.post("/api/v1/members", json=body, headers={CSRF_HEADER: started.csrf})
    assert answer.status_code == 201


def test_a_token_needs_no_csrf_and_works_until_revoked(world: World, anybody: httpx.Client) -> None:
    token = world.token(world.operator())
    headers = {"Authorization": f"Bearer {token}"}
    body = {"name": "Ada Beispiel"}
    assert anybody.post("/api/v1/members", json=body, headers=headers).status_code == 201
    with session_writing(world.engine) as session:
        people.revoke_token(session, 1, world.now)
    assert anybody.post("/api/v1/members", json=body, headers=headers).status_code == 401


def test_a_bad_token_is_not_made_good_by_a_cookie(world: World, anybody: httpx.Client) -> None:
    anybody.cookies.set(COOKIE, world.session(world.operator()).token)
    answer = anybody.get("/api/v1/sites", headers={"Authorization": "Bearer kokubus_wrong"})
    assert answer.status_code == 401


def test_a_password_is_costly_to_guess(real_hasher: PasswordHasher) -> None:
    """As RFC 9106 recommends where memory is scarce: 64 MiB, three passes."""
    cost = argon2.extract_parameters(real_hasher.hash(PASSWORD))
    assert (cost.memory_cost, cost.time_cost) >= (65_536, 3)
    assert cost.type is argon2.Type.ID


def test_of_tokens_and_links_only_hashes_are_stored(world: World) -> None:
    operator = world.operator()
    secrets = [world.token(operator), world.link(operator), world.session(operator).token]
    stored = str(
        [
            rows(world.engine, model)
            for model in (models.ApiToken, models.SignInLink, models.Session)
        ]
    )
    assert not [secret for secret in secrets if secret in stored]
