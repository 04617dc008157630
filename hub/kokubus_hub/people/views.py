"""``/api/v1/members`` and ``/api/v1/badges``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Row, Select

from kokubus_hub.context import Cursor, Hub, HubOf, Limit, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.people import inbox, members
from kokubus_hub.people.schemas import (
    BadgeChange,
    BadgeIn,
    BadgeOut,
    BadgePage,
    ClaimIn,
    MemberChange,
    MemberIn,
    MemberOut,
    MemberPage,
    UnknownBadgeOut,
    given,
)
from kokubus_hub.problems import ProblemError
from kokubus_hub.security import Someone

router = APIRouter(tags=["people"])


@router.get("/members", summary="Members")
def all_members(hub: HubOf, _who: Someone, after: Cursor = 0, limit: Limit = 100) -> MemberPage:
    """In the order they were added."""
    rows = _page(hub, members.MEMBERS, after, limit)
    return MemberPage(items=[MemberOut.of(row) for row in rows], next=_next(rows, limit))


@router.post("/members", status_code=201, summary="Add a member")
def add_member(new: MemberIn, hub: HubOf, who: Someone) -> MemberOut:
    """A member can enter nowhere until a badge and a booking or a standing right say so."""
    values = {"email": None, "language": new.language} | given(new)
    _check_order(values)
    with writing(hub.engine, who.operator_id) as connection:
        return MemberOut.of(members.add_member(connection, values, hub.now()))


@router.get("/members/{member}", summary="One member")
def member(member: str, hub: HubOf, _who: Someone) -> MemberOut:
    """Name, address, status and validity."""
    with reading(hub.engine) as connection:
        return MemberOut.of(members.member_by_slug(connection, member))


@router.patch("/members/{member}", summary="Change or suspend a member")
def change_member(member: str, change: MemberChange, hub: HubOf, who: Someone) -> MemberOut:
    """Every door learns of it within a second."""
    with writing(hub.engine, who.operator_id) as connection:
        held = members.member_by_slug(connection, member)
        _check_order({"start": held.start, "end": held.end} | given(change))
        return MemberOut.of(members.change_member(connection, member, given(change), hub.now()))


@router.get("/badges", summary="Badges")
def all_badges(hub: HubOf, _who: Someone, after: Cursor = 0, limit: Limit = 100) -> BadgePage:
    """In the order they were enrolled."""
    rows = _page(hub, members.BADGES, after, limit)
    return BadgePage(items=[BadgeOut.of(row) for row in rows], next=_next(rows, limit))


@router.post("/badges", status_code=201, summary="Enrol a badge")
def enrol(new: BadgeIn, hub: HubOf, who: Someone) -> BadgeOut:
    """Its UID is sealed and cannot be read again. Random UIDs and known badges are refused."""
    values = given(new, leave=frozenset({"uid", "tech", "member"}))
    _check_order(values)
    read = members.credential_of(new.tech, new.uid.get_secret_value())
    with writing(hub.engine, who.operator_id) as connection:
        return BadgeOut.of(
            members.enrol(connection, hub.keyring, read, new.member, values, hub.now())
        )


@router.get("/badges/{badge}", summary="One badge")
def badge(badge: RowId, hub: HubOf, _who: Someone) -> BadgeOut:
    """Holder, printed number, status and validity; never the UID."""
    with reading(hub.engine) as connection:
        return BadgeOut.of(members.badge_by_id(connection, badge))


@router.patch("/badges/{badge}", summary="Block a badge, or hand it over")
def change_badge(badge: RowId, change: BadgeChange, hub: HubOf, who: Someone) -> BadgeOut:
    """Every door learns of it within a second."""
    with writing(hub.engine, who.operator_id) as connection:
        held = members.badge_by_id(connection, badge)
        _check_order({"start": held.start, "end": held.end} | given(change))
        return BadgeOut.of(
            members.change_badge(connection, hub.keyring, badge, given(change), hub.now())
        )


@router.post("/badges/{badge}/replacement", status_code=201, summary="Replace a badge")
def replace(badge: RowId, new: BadgeIn, hub: HubOf, who: Someone) -> BadgeOut:
    """Its holder gets the new one; the old one opens nothing any more, within a second."""
    if new.member is not None:
        raise ProblemError(422, "The new badge is for whoever holds the old one; leave `member`.")
    values = given(new, leave=frozenset({"uid", "tech", "member"}))
    read = members.credential_of(new.tech, new.uid.get_secret_value())
    with writing(hub.engine, who.operator_id) as connection:
        return BadgeOut.of(
            members.replace_badge(connection, hub.keyring, badge, read, values, hub.now())
        )


@router.get("/unknown-badges", summary="Badges that were tapped and are nobody's")
def unknown_badges(hub: HubOf, _who: Someone) -> list[UnknownBadgeOut]:
    """Newest first. "Tap it, then say whose it is": claim one to enrol it without its UID."""
    with reading(hub.engine) as connection:
        return [UnknownBadgeOut.of(one) for one in inbox.unknown(connection, hub.keyring)]


@router.post("/unknown-badges/{badge}/claim", status_code=201, summary="Say whose a badge is")
def claim(badge: RowId, to: ClaimIn, hub: HubOf, who: Someone) -> BadgeOut:
    """It is enrolled for the member, who can enter by it within a second."""
    with writing(hub.engine, who.operator_id) as connection:
        return BadgeOut.of(
            inbox.claim(connection, hub.keyring, badge, to.member, to.label, hub.now())
        )


def _page(hub: Hub, query: Select[Any], after: int, limit: int) -> list[Row[Any]]:
    with reading(hub.engine) as connection:
        return list(connection.execute(members.page(query, after, limit)))


def _next(rows: list[Row[Any]], limit: int) -> int | None:
    return int(rows[-1].id) if len(rows) == limit else None


def _check_order(values: dict[str, Any]) -> None:
    start, end = values.get("start"), values.get("end")
    if start is not None and end is not None and start >= end:
        raise ProblemError(422, "The validity ends before it begins; swap `start` and `end`.")
