"""Keyholders: named badges that open a site's doors whatever else holds (caretaker, fire brigade).

They open when the policy has expired and when the site is closed, so there are few of them and
each use is an alarm.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.entitlements.places import Place, found
from kokubus_hub.models import table
from kokubus_hub.people.members import badge_by_id
from kokubus_hub.problems import ProblemError

MOST = 3
_KEYHOLDER, _BADGE, _MEMBER = (
    table(models.Keyholder),
    table(models.Badge),
    table(models.Member),
)
_ALL: Select[Any] = (
    select(_BADGE.c.id, _BADGE.c.label, _BADGE.c.status, _MEMBER.c.slug.label("member"))
    .join_from(_KEYHOLDER, _BADGE)
    .outerjoin(_MEMBER, _MEMBER.c.id == _BADGE.c.member_id)
    .order_by(_KEYHOLDER.c.id)
)


def of_site(connection: Connection, site: str) -> list[Row[Any]]:
    """The badges that open this site's doors whatever else holds. ProblemError 404."""
    site_id, _ = found(connection, Place(site))
    return list(connection.execute(_ALL.where(_KEYHOLDER.c.site_id == site_id)))


def name(connection: Connection, site: str, badge: int, now: Instant) -> list[Row[Any]]:
    """Make a badge a keyholder's; twice changes nothing. ProblemError 404, or 409 for a fourth
    one and for a badge that nobody holds.
    """
    changes.queue(connection)
    site_id, _ = found(connection, Place(site))
    held = badge_by_id(connection, badge)
    if held.member is None or held.status != "active":
        raise ProblemError(409, "Only an active badge that somebody holds can be a keyholder's.")
    known = of_site(connection, site)
    if any(row.id == badge for row in known):
        return known
    if len(known) >= MOST:
        raise ProblemError(409, f"{site} has {MOST} keyholders already; take one back first.")
    connection.execute(insert(_KEYHOLDER).values(site_id=site_id, badge_id=badge))
    changes.record(connection, now, f"badge {badge} opens {site} whatever holds", site_id)
    return of_site(connection, site)


def take_back(connection: Connection, site: str, badge: int, now: Instant) -> None:
    """The badge opens by its holder's rights alone from now on. ProblemError 404."""
    site_id, _ = found(connection, Place(site))
    if all(row.id != badge for row in of_site(connection, site)):
        raise ProblemError(404, f"The badge {badge} is no keyholder's of {site}.")
    mine = (_KEYHOLDER.c.site_id == site_id) & (_KEYHOLDER.c.badge_id == badge)
    connection.execute(delete(_KEYHOLDER).where(mine))
    changes.record(connection, now, f"badge {badge} is no keyholder of {site} any more", site_id)
