"""Standing rights as members have them; those given by hand are made and taken back here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.entitlements.places import Place, found, named
from kokubus_hub.hours import Weekly
from kokubus_hub.models import table
from kokubus_hub.people.members import member_by_slug
from kokubus_hub.problems import ProblemError, not_found

_ENTITLEMENT, _MEMBER = table(models.Entitlement), table(models.Member)
_PLAN, _SUBSCRIPTION = table(models.Plan), table(models.Subscription)
_ALL = (
    named(_ENTITLEMENT)
    .add_columns(_MEMBER.c.slug.label("member"), _PLAN.c.slug.label("plan"))
    .join(_MEMBER, _MEMBER.c.id == _ENTITLEMENT.c.member_id)
    .outerjoin(_SUBSCRIPTION, _SUBSCRIPTION.c.id == _ENTITLEMENT.c.subscription_id)
    .outerjoin(_PLAN, _PLAN.c.id == _SUBSCRIPTION.c.plan_id)
)


def of_member(connection: Connection, member: str) -> list[Row[Any]]:
    """All standing rights of a member, given by hand or by a plan. ProblemError 404."""
    row = member_by_slug(connection, member)
    return list(connection.execute(_ALL.where(_ENTITLEMENT.c.member_id == row.id)))


def page(connection: Connection, after: int, limit: int) -> list[Row[Any]]:
    """``limit`` standing rights whose id comes after ``after``."""
    wanted = _ALL.where(_ENTITLEMENT.c.id > after).order_by(_ENTITLEMENT.c.id).limit(limit)
    return list(connection.execute(wanted))


def give(
    connection: Connection,
    member: str,
    place: Place,
    schedule: Weekly | None,
    span: tuple[Instant | None, Instant | None],
    now: Instant,
) -> Row[Any]:
    """A standing right by hand. ProblemError 404 for an unknown member, site or room."""
    site, room = found(connection, place)
    row = {
        "member_id": member_by_slug(connection, member).id,
        "site_id": site,
        "room_id": room,
        "schedule": schedule,
        "start": span[0],
        "end": span[1],
    }
    made = connection.execute(insert(_ENTITLEMENT).values(row).returning(_ENTITLEMENT.c.id))
    given = made.scalar_one()
    changes.record(connection, now, f"member {member} may enter {place.room or place.site}", site)
    return connection.execute(_ALL.where(_ENTITLEMENT.c.id == given)).one()


def take_back(connection: Connection, entitlement: int, now: Instant) -> None:
    """End a right given by hand. ProblemError 404, or 409 for one that a plan gives."""
    wanted = select(_ENTITLEMENT).where(_ENTITLEMENT.c.id == entitlement)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise not_found("entitlement", entitlement)
    if row.subscription_id is not None:
        raise ProblemError(409, "A plan gives this right; take the plan from the member instead.")
    connection.execute(delete(_ENTITLEMENT).where(_ENTITLEMENT.c.id == entitlement))
    changes.record(connection, now, f"entitlement {entitlement} taken back", row.site_id)
