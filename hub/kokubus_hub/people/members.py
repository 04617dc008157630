"""Members and their badges: who they are, which cards they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kokubus.credential import UID, Credential
from kokubus.enrolment import NotEnrollableError, enrollable
from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.imports import uid as uids
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.people.slugs import new_slug
from kokubus_hub.problems import ProblemError, not_found

_MEMBER, _BADGE = table(models.Member), table(models.Badge)
_KEYHOLDER, _UNKNOWN = table(models.Keyholder), table(models.UnknownBadge)
_NOT_STAGED = "staged:%"  # rows of an import under way are nobody's yet
MEMBERS = select(_MEMBER).where(_MEMBER.c.status.not_like(_NOT_STAGED))
BADGES = (
    select(_BADGE, _MEMBER.c.slug.label("member"))
    .select_from(_BADGE.outerjoin(_MEMBER))
    .where(_BADGE.c.status.not_like(_NOT_STAGED))
)


def page(query: Select[Any], after: int, limit: int) -> Select[Any]:
    """``limit`` rows of `MEMBERS` or `BADGES` whose id comes after ``after``."""
    key = query.selected_columns["id"]
    return query.where(key > after).order_by(key).limit(limit)


def member_by_slug(connection: Connection, slug: str) -> Row[Any]:
    """A member's row; ProblemError 404."""
    row = connection.execute(MEMBERS.where(_MEMBER.c.slug == slug)).one_or_none()
    if row is None:
        raise not_found("member", slug)
    return row


def badge_by_id(connection: Connection, badge: int) -> Row[Any]:
    """A badge's row with its member's slug; ProblemError 404."""
    row = connection.execute(BADGES.where(_BADGE.c.id == badge)).one_or_none()
    if row is None:
        raise not_found("badge", badge)
    return row


def names(connection: Connection, members: Iterable[int]) -> dict[int, str]:
    """Names for those who may see them, by row id."""
    wanted = select(_MEMBER.c.id, _MEMBER.c.name).where(_MEMBER.c.id.in_(list(members)))
    return {row.id: row.name for row in connection.execute(wanted)}


def postcode_bands(connection: Connection, members: Iterable[int]) -> dict[int, str]:
    """The first digits of a postcode, of those who gave them, by row id."""
    band = _MEMBER.c.postcode_band
    wanted = select(_MEMBER.c.id, band).where(_MEMBER.c.id.in_(list(members)), band.is_not(None))
    return {row.id: row.postcode_band for row in connection.execute(wanted)}


def add_member(connection: Connection, values: Mapping[str, Any], now: Instant) -> Row[Any]:
    """A new member; ProblemError 409 if the e-mail address is taken."""
    made = insert(_MEMBER).values(slug=new_slug(), status="active", **values)
    _unique(connection, made, "A member with this e-mail address exists already.")
    changes.record(connection, now, "member added")
    newest = MEMBERS.order_by(_MEMBER.c.id.desc()).limit(1)
    return connection.execute(newest).one()


def change_member(
    connection: Connection, slug: str, values: Mapping[str, Any], now: Instant
) -> Row[Any]:
    """Change what is given; ProblemError 404 or 409."""
    held = member_by_slug(connection, slug)
    if values:
        changed = update(_MEMBER).where(_MEMBER.c.id == held.id).values(**values)
        _unique(connection, changed, "Another member has this e-mail address.")
        changes.record(connection, now, f"member {slug} changed")
    return member_by_slug(connection, slug)


def credential_of(tech: str, typed: str) -> Credential:
    """What somebody typed in as a UID, a reader's number or a PIN; ProblemError 422."""
    try:
        if tech == UID:
            return Credential(UID, uids.canonical(typed))
        credential = Credential(tech, typed.strip().upper())
        enrollable(credential)
    except (ValueError, NotEnrollableError) as error:
        raise ProblemError(422, f"{error}.") from error
    return credential


def enrol(
    connection: Connection,
    keyring: Keyring,
    credential: Credential,
    member: str | None,
    values: Mapping[str, Any],
    now: Instant,
) -> Row[Any]:
    """A new badge or PIN; its number is sealed and forgotten.

    ProblemError 422 for one that is printed on the badge, 409 if badge or label is known.
    """
    _unlike(values.get("label"), credential.uid)
    text = credential.text
    holder = member_by_slug(connection, member).id if member else None
    lookup = keyring.lookup(text)
    known = connection.execute(select(_BADGE.c.id).where(_BADGE.c.lookup == lookup)).scalar()
    if known is not None:
        raise ProblemError(409, f"This badge is enrolled already, as number {known}.")
    sealed = {"lookup": lookup, "sealed_uid": keyring.seal(text, "badge"), "tech": credential.tech}
    made = insert(_BADGE).values(member_id=holder, status="active", **sealed, **values)
    _unique(connection, made, "Another badge has this printed number.")
    connection.execute(delete(_UNKNOWN).where(_UNKNOWN.c.lookup == lookup))
    changes.record(connection, now, "badge enrolled")
    return connection.execute(BADGES.where(_BADGE.c.lookup == lookup)).one()


def replace_badge(
    connection: Connection,
    keyring: Keyring,
    badge: int,
    credential: Credential,
    values: Mapping[str, Any],
    now: Instant,
) -> Row[Any]:
    """Another badge in place of one that is worn out or lost, for the same member.

    The old one is ``replaced`` and opens nothing from then on. ProblemError as `enrol`, and 409
    for a badge nobody holds or that was replaced before.
    """
    held = badge_by_id(connection, badge)
    if held.member is None or held.status == "replaced":
        raise ProblemError(409, "Nobody holds this badge any more; enrol the new one by itself.")
    over = {"override_lockdown": held.override_lockdown, "start": held.start, "end": held.end}
    made = enrol(connection, keyring, credential, held.member, over | dict(values), now)
    gone = update(_BADGE).where(_BADGE.c.id == badge).values(status="replaced")
    connection.execute(gone)
    keys = update(_KEYHOLDER).where(_KEYHOLDER.c.badge_id == badge).values(badge_id=made.id)
    connection.execute(keys)
    return made


def _unlike(label: str | None, uid: str) -> None:
    """A printed number that is the UID would tell everybody who sees the badge how to copy it."""
    if uids.tells(label, uid):
        raise ProblemError(
            422, "The printed number is the badge's own; give it one that does not tell its UID."
        )


def number_of(keyring: Keyring, sealed: bytes) -> str:
    """The number of a sealed ``tech|UID``, likewise."""
    return opened(keyring, sealed).uid


def opened(keyring: Keyring, sealed: bytes) -> Credential:
    """A sealed ``tech|UID``, for comparing alone: it goes nowhere from here."""
    tech, _, uid = keyring.open(sealed, "badge").decode().partition("|")
    return Credential(tech, uid)


def change_badge(
    connection: Connection, keyring: Keyring, badge: int, values: Mapping[str, Any], now: Instant
) -> Row[Any]:
    """Block, hand over, relabel; ``member`` is a slug or None. ProblemError 404 or 409."""
    held = badge_by_id(connection, badge)
    given = dict(values)
    if given.get("label"):
        _unlike(given["label"], number_of(keyring, held.sealed_uid))
    if "member" in given:
        slug = given.pop("member")
        given["member_id"] = member_by_slug(connection, slug).id if slug else None
    if given:
        changed = update(_BADGE).where(_BADGE.c.id == badge).values(**given)
        _unique(connection, changed, "Another badge has this printed number.")
        changes.record(connection, now, f"badge {badge} changed")
    return badge_by_id(connection, badge)


def _unique(connection: Connection, statement: Any, taken: str) -> None:
    try:
        connection.execute(statement)
    except IntegrityError as error:
        raise ProblemError(409, taken) from error
