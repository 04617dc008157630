"""Webhooks: a platform signs what it pushes, and nothing is taken twice.

``X-Kokubus-Timestamp`` is seconds since 1970; ``X-Kokubus-Signature`` is ``sha256=`` and the
HMAC-SHA256 of ``<timestamp>.<body>`` under the platform's secret, in hex: the scheme of Stripe's
and GitHub's webhooks, whose clients platforms have.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found

TOLERANCE_MS = 5 * 60_000
_PLATFORM, _SEEN = table(models.Platform), table(models.HookSeen)
_MUNICIPALITY = table(models.Municipality)
_NO = ProblemError(401, "The signature does not fit; see the API's reference on how to sign.")


def add(
    connection: Connection, keyring: Keyring, slug: str, municipality: str | None, now: Instant
) -> str:
    """A platform that may push from now on; its secret, shown this once.

    Done again it gets a new secret. ``municipality`` (its slug) is the one it may book in, None:
    all. ProblemError 404.
    """
    where = None
    if municipality is not None:
        wanted = select(_MUNICIPALITY.c.id).where(_MUNICIPALITY.c.slug == municipality)
        where = connection.execute(wanted).scalar()
        if where is None:
            raise not_found("municipality", municipality)
    secret = secrets.token_urlsafe(32)
    values = {"secret": keyring.seal(secret.encode(), f"platform:{slug}"), "revoked_at": None}
    values |= {"municipality_id": where}
    known = connection.execute(select(_PLATFORM.c.id).where(_PLATFORM.c.slug == slug)).scalar()
    if known is None:
        connection.execute(insert(_PLATFORM).values(slug=slug, created_at=now, **values))
    else:
        connection.execute(update(_PLATFORM).where(_PLATFORM.c.id == known).values(**values))
    return secret


def revoke(connection: Connection, slug: str, now: Instant) -> None:
    """It may push no longer; ProblemError 404."""
    held = update(_PLATFORM).where(_PLATFORM.c.slug == slug).values(revoked_at=now)
    if connection.execute(held.returning(_PLATFORM.c.id)).first() is None:
        raise not_found("platform", slug)


def find(connection: Connection) -> list[Row[Any]]:
    """All platforms, by name."""
    return list(connection.execute(select(_PLATFORM).order_by(_PLATFORM.c.slug)))


def accept(
    connection: Connection,
    keyring: Keyring,
    slug: str,
    headers: tuple[str | None, str | None],
    body: bytes,
    now: Instant,
) -> Row[Any]:
    """The platform that signed this, now and for the first time.

    ``headers``: (timestamp, signature). To be called in the transaction that does what was
    asked, so that what failed may be sent again. ProblemError 401 for an unknown platform or a
    wrong signature, 409 for one that was taken already, 422 for a timestamp that is too old.
    """
    timestamp, signature = headers
    platform = _platform(connection, slug)
    if platform is None or not _signed(keyring, platform, timestamp, signature, body):
        raise _NO
    if abs(int(timestamp or 0) * 1000 - now) > TOLERANCE_MS:
        raise ProblemError(422, "The timestamp is more than five minutes off; sign it anew.")
    connection.execute(delete(_SEEN).where(_SEEN.c.at < now - 2 * TOLERANCE_MS))
    seen = {"platform_id": platform.id, "signature": str(signature)[-64:], "at": now}
    try:
        connection.execute(insert(_SEEN).values(seen))
    except IntegrityError as error:
        raise ProblemError(409, "This was taken already; nothing was changed.") from error
    return platform


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature's header."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256)
    return f"sha256={signed.hexdigest()}"


def _platform(connection: Connection, slug: str) -> Row[Any] | None:
    wanted = select(_PLATFORM).where(_PLATFORM.c.slug == slug, _PLATFORM.c.revoked_at.is_(None))
    return connection.execute(wanted).one_or_none()


def _signed(
    keyring: Keyring,
    platform: Row[Any],
    timestamp: str | None,
    signature: str | None,
    body: bytes,
) -> bool:
    if not timestamp or not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > 12:
        return False
    secret = keyring.open(platform.secret, f"platform:{platform.slug}").decode()
    wanted = sign(secret, timestamp, body)
    return hmac.compare_digest(wanted.encode(), (signature or "").encode("utf-8", "replace"))
