"""Operators: who may sign in, how often they may try, and what is kept of their secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from tests.hub.small_hub import NOW, rows, small_hub

from kokubus_hub import database, models
from kokubus_hub.people import service as people
from kokubus_hub.people.limits import WINDOW_MS, SignInLimits, TooManyAttemptsError
from kokubus_hub.people.service import PeopleError, SignInError

PASSWORD = "correct horse"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with small_hub(tmp_path) as made:
        yield made


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with database.session_writing(engine) as made:
        yield made


@pytest.fixture
def ada(session: Session) -> int:
    return people.add_operator(session, "Ada Muster", "Ada@Example.org", NOW).id


def test_an_operator_signs_in_with_a_password(session: Session, ada: int) -> None:
    people.set_password(session, ada, PASSWORD)
    assert people.check_password(session, "ada@example.ORG ", PASSWORD) == ada
    started = people.start_session(session, ada, NOW)
    who = people.session_of(session, started.token, NOW)
    assert who == people.Who(ada, "Ada Muster", started.csrf)


@pytest.mark.parametrize(
    ("email", "password"), [("ada@example.org", "wrong horse"), ("bea@example.org", PASSWORD)]
)
def test_what_was_wrong_is_not_said(session: Session, ada: int, email: str, password: str) -> None:
    people.set_password(session, ada, PASSWORD)
    with pytest.raises(SignInError, match="e-mail address or password are wrong"):
        people.check_password(session, email, password)


def test_without_a_password_there_is_none_to_guess(session: Session, ada: int) -> None:
    with pytest.raises(SignInError):
        people.check_password(session, "ada@example.org", "")


@pytest.mark.parametrize("password", ["", "too short", "x" * 201])
def test_a_password_has_a_length(session: Session, ada: int, password: str) -> None:
    with pytest.raises(PeopleError, match="10 to 200"):
        people.set_password(session, ada, password)


def test_a_new_password_ends_all_sessions(session: Session, ada: int) -> None:
    token = people.start_session(session, ada, NOW).token
    people.set_password(session, ada, PASSWORD)
    assert people.session_of(session, token, NOW) is None


def test_a_session_ends_by_signing_out_or_by_time(session: Session, ada: int) -> None:
    first, second = (people.start_session(session, ada, NOW) for _ in range(2))
    people.end_session(session, first.token)
    assert people.session_of(session, first.token, NOW) is None
    assert people.session_of(session, second.token, second.expires_at - 1) is not None
    assert people.session_of(session, second.token, second.expires_at) is None


def test_sessions_that_are_over_are_forgotten(engine: Engine) -> None:
    with database.session_writing(engine) as session:
        ada = people.add_operator(session, "Ada", "ada@example.org", NOW).id
        people.start_session(session, ada, NOW)
        people.start_session(session, ada, NOW + people.SESSION_MS)
    assert len(rows(engine, models.Session)) == 1


def test_a_link_signs_in_once_and_in_time(session: Session, ada: int) -> None:
    token = people.make_link(session, ada, NOW)
    late = people.make_link(session, ada, NOW)
    assert people.use_link(session, token, NOW) == ada
    for spent, now in ((token, NOW), (late, NOW + people.LINK_MS), ("unknown", NOW)):
        with pytest.raises(SignInError, match="ask for a new one"):
            people.use_link(session, spent, now)


def test_a_token_acts_until_it_is_revoked(engine: Engine) -> None:
    with database.session_writing(engine) as session:
        ada = people.add_operator(session, "Ada", "ada@example.org", NOW).id
        token = people.make_token(session, ada, "display", NOW)
        assert people.token_of(session, token) == people.Who(ada, "Ada")
        assert people.token_of(session, token + "x") is None
        number = session.query(models.ApiToken).one().id
        assert people.revoke_token(session, number, NOW)
        assert not people.revoke_token(session, number, NOW)
        assert people.token_of(session, token) is None


def test_the_database_holds_no_secret(tmp_path: Path) -> None:
    with small_hub(tmp_path) as engine, database.session_writing(engine) as session:
        ada = people.add_operator(session, "Ada", "ada@example.org", NOW).id
        people.set_password(session, ada, PASSWORD)
        secrets = [
            PASSWORD,
            people.make_link(session, ada, NOW),
            people.make_token(session, ada, "display", NOW),
            people.start_session(session, ada, NOW).token,
        ]
    content = b"".join(file.read_bytes() for file in tmp_path.glob("hub.db*"))
    assert b"ada@example.org" in content
    assert not [secret for secret in secrets if secret.encode() in content]


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("", "bea@example.org"),
        ("Bea", "bea"),
        ("Bea", "x" * 254 + "@x.y"),
        ("Bea", "ADA@example.org"),
    ],
)
def test_an_operator_needs_a_name_and_an_address_of_their_own(
    session: Session, ada: int, name: str, email: str
) -> None:
    with pytest.raises(PeopleError):
        people.add_operator(session, name, email, NOW)


def _fail(limits: SignInLimits, times: int, name: str, address: str) -> None:
    for _ in range(times):
        limits.check(name, address, NOW)
        limits.failed(name, address, NOW)


def test_a_name_waits_after_five_failures() -> None:
    limits = SignInLimits()
    _fail(limits, 5, "ada@example.org", "192.0.2.1")
    with pytest.raises(TooManyAttemptsError) as caught:
        limits.check("ADA@example.org ", "192.0.2.2", NOW)
    assert caught.value.retry_at == NOW + WINDOW_MS
    limits.check("bea@example.org", "192.0.2.1", NOW)
    limits.check("ada@example.org", "192.0.2.2", NOW + WINDOW_MS)


@pytest.mark.parametrize(
    ("first", "second"), [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::2:3")]
)
def test_an_address_waits_whatever_names_it_tries(first: str, second: str) -> None:
    limits = SignInLimits()
    for n in range(20):
        _fail(limits, 1, f"{n}@example.org", first)
    with pytest.raises(TooManyAttemptsError):
        limits.check("other@example.org", second, NOW)
    limits.check("other@example.org", "2001:db8:0:1::1", NOW)


def test_success_forgets_the_names_failures_not_the_addresss() -> None:
    limits = SignInLimits()
    for _ in range(4):
        _fail(limits, 5, "ada@example.org", "192.0.2.1")
        limits.succeeded("ada@example.org")
    with pytest.raises(TooManyAttemptsError):
        limits.check("ada@example.org", "192.0.2.1", NOW)
    limits.check("ada@example.org", "192.0.2.9", NOW)


def test_what_is_remembered_is_bounded() -> None:
    limits = SignInLimits()
    for n in range(12_000):
        limits.failed(f"{n}@example.org", "192.0.2.1", NOW)
    assert len(limits._failures) <= 10_000
