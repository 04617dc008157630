"""Operators, their sessions, API tokens and one-time sign-in links.

Every function is given the database session and the instant; `kokubus_hub.database` opens
the transaction. Tokens are 256 random bits; the database holds their SHA-256 only.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub.models import ApiToken, Operator, SignInLink
from kokubus_hub.models import Session as SignedIn

HOUR_MS = 3_600_000
SESSION_MS = 14 * 24 * HOUR_MS
LINK_MS = 24 * HOUR_MS
MIN_PASSWORD, MAX_PASSWORD = 10, 200
_HASHER = PasswordHasher()
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$"
    "WNCkBKBdHGZJZUfPBhoQFCi6hTOcbGQF3d0EyCYBBIY"
)
"""Verified when there is no such operator, so that the answer takes as long."""


class PeopleError(KokubusError):
    """An operator cannot be made or changed; the sentence says what to do."""


class SignInError(KokubusError):
    """Name and password, token or link do not hold; never says which part was wrong."""


@dataclass(frozen=True, slots=True)
class Started:
    """A new session: the cookie's ``token`` and the forms' ``csrf``, shown this once."""

    token: str
    csrf: str
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class Who:
    """Who is signed in. ``csrf`` is None for an API token, which no form uses."""

    operator_id: int
    name: str
    csrf: str | None = None


def add_operator(session: Session, name: str, email: str, now: Instant) -> Operator:
    """A new operator without a password; PeopleError if the e-mail is taken or none."""
    address = email.strip().lower()
    if not name.strip() or "@" not in address or len(address) > 254:
        raise PeopleError("an operator needs a name and an e-mail address")
    if operator_by_email(session, address) is not None:
        raise PeopleError(f"{address}: there is an operator with this address already")
    made = Operator(name=name.strip(), email=address, created_at=now)
    session.add(made)
    session.flush()
    return made


def operator_by_email(session: Session, email: str) -> Operator | None:
    """The operator with this address, in any case of letters."""
    wanted = select(Operator).where(Operator.email == email.strip().lower())
    return session.scalars(wanted).one_or_none()


def set_password(session: Session, operator_id: int, password: str) -> None:
    """Give the operator a password (10 to 200 characters) and end their other sessions."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PeopleError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    chosen = update(Operator).where(Operator.id == operator_id)
    session.execute(chosen.values(password_hash=_HASHER.hash(password)))
    session.execute(delete(SignedIn).where(SignedIn.operator_id == operator_id))


def check_password(session: Session, email: str, password: str) -> int:
    """The operator's id; SignInError if address or password are wrong.

    Takes some 50 ms and 64 MiB on purpose: call it outside a writing transaction.
    """
    found = operator_by_email(session, email[:254])
    known = found.password_hash if found else None
    try:
        _HASHER.verify(known or _NOBODY, password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError) as error:
        raise SignInError("e-mail address or password are wrong") from error
    if found is None or known is None:
        raise SignInError("e-mail address or password are wrong")
    return found.id


def start_session(session: Session, operator_id: int, now: Instant) -> Started:
    """Sign an operator in for 14 days; sessions that are over are forgotten."""
    started = Started(secrets.token_urlsafe(32), secrets.token_urlsafe(16), now + SESSION_MS)
    session.execute(delete(SignedIn).where(SignedIn.expires_at <= now))
    session.add(
        SignedIn(
            token_hash=_hash(started.token),
            operator_id=operator_id,
            csrf=started.csrf,
            created_at=now,
            expires_at=started.expires_at,
        )
    )
    session.flush()
    return started


def session_of(session: Session, token: str, now: Instant) -> Who | None:
    """Who holds this session's token; None if nobody does or it is over."""
    wanted = (
        select(Operator.id, Operator.name, SignedIn.csrf)
        .join(SignedIn, SignedIn.operator_id == Operator.id)
        .where(SignedIn.token_hash == _hash(token), SignedIn.expires_at > now)
    )
    row = session.execute(wanted).one_or_none()
    return Who(row.id, row.name, row.csrf) if row else None


def end_session(session: Session, token: str) -> None:
    """Sign out; does nothing if the session is over already."""
    session.execute(delete(SignedIn).where(SignedIn.token_hash == _hash(token)))


def make_link(session: Session, operator_id: int, now: Instant, lifetime: int = LINK_MS) -> str:
    """A token that signs the operator in once within ``lifetime`` ms."""
    token = secrets.token_urlsafe(32)
    expires_at = now + lifetime
    session.add(SignInLink(token_hash=_hash(token), operator_id=operator_id, expires_at=expires_at))
    session.flush()
    return token


def use_link(session: Session, token: str, now: Instant) -> int:
    """The operator's id, once; SignInError if the link was used, is over or never was."""
    wanted = (SignInLink.token_hash == _hash(token)) & (SignInLink.used_at.is_(None))
    used = update(SignInLink).where(wanted, SignInLink.expires_at > now).values(used_at=now)
    operator = session.execute(used.returning(SignInLink.operator_id)).scalar_one_or_none()
    if operator is None:
        raise SignInError("this sign-in link was used already or is over; ask for a new one")
    return operator


def make_token(session: Session, operator_id: int, name: str, now: Instant) -> str:
    """A new API token, shown this once."""
    token = "kokubus_" + secrets.token_urlsafe(32)
    session.add(
        ApiToken(name=name, token_hash=_hash(token), operator_id=operator_id, created_at=now)
    )
    session.flush()
    return token


def token_of(session: Session, token: str) -> Who | None:
    """On whose behalf this API token acts; None if it is unknown or revoked."""
    wanted = (
        select(Operator.id, Operator.name)
        .join(ApiToken, ApiToken.operator_id == Operator.id)
        .where(ApiToken.token_hash == _hash(token), ApiToken.revoked_at.is_(None))
    )
    row = session.execute(wanted).one_or_none()
    return Who(row.id, row.name) if row else None


def revoke_token(session: Session, token_id: int, now: Instant) -> bool:
    """Whether there was such a token in force; it is not any more."""
    wanted = update(ApiToken).where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
    done = cast("CursorResult[Any]", session.execute(wanted.values(revoked_at=now)))
    return done.rowcount > 0


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
