"""Plans and roles: what they are for, and who has them.

Whoever has a plan has a row of `models.Entitlement` for each of its places; `_follow` keeps those
rows what plan and subscription say, in the transaction that changes either. So the rule at the
doors knows standing rights only, wherever they come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.entitlements.places import Place, found, named
from kokubus_hub.hours import Weekly
from kokubus_hub.models import table
from kokubus_hub.people.members import member_by_slug
from kokubus_hub.problems import ProblemError, not_found

Kind: TypeAlias = Literal["plan", "role"]

_PLAN, _PLACE = table(models.Plan), table(models.PlanPlace)
_SUBSCRIPTION, _ENTITLEMENT = table(models.Subscription), table(models.Entitlement)
_MEMBER = table(models.Member)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan or role as it is to be; ``schedule`` None means each site's opening hours."""

    id: str
    name: str
    kind: Kind
    schedule: Weekly | None
    places: tuple[Place, ...]
    members: int = 0


def every(connection: Connection) -> list[Plan]:
    """All plans and roles by name, each with how many members have it."""
    rows = connection.execute(select(_PLAN).order_by(_PLAN.c.name, _PLAN.c.id)).all()
    places = _places(connection, [row.id for row in rows])
    had = connection.execute(select(_SUBSCRIPTION.c.plan_id)).scalars().all()
    return [_plan(row, places.get(row.id, ()), had.count(row.id)) for row in rows]


def one(connection: Connection, slug: str) -> Plan:
    """One plan; ProblemError 404."""
    _by_slug(connection, slug)
    return next(plan for plan in every(connection) if plan.id == slug)


def add(connection: Connection, plan: Plan, now: Instant) -> Plan:
    """A new plan; ProblemError 404 for an unknown site or room, 409 if its id is taken."""
    places = [found(connection, place) for place in plan.places]
    row = {"slug": plan.id, "name": plan.name, "kind": plan.kind, "schedule": plan.schedule}
    made = insert(_PLAN).values(row).returning(_PLAN.c.id)
    try:
        added = connection.execute(made).scalar_one()
    except IntegrityError as error:
        raise ProblemError(409, f"There is a plan {plan.id!r} already.") from error
    _put_places(connection, added, places)
    changes.record(connection, now, f"plan {plan.id} added")
    return one(connection, plan.id)


def change(connection: Connection, slug: str, plan: Plan, now: Instant) -> Plan:
    """Make a plan what is said; whoever has it gets what it gives now. ProblemError 404."""
    changes.queue(connection)
    row = _by_slug(connection, slug)
    places = [found(connection, place) for place in plan.places]
    values = {"name": plan.name, "kind": plan.kind, "schedule": plan.schedule}
    connection.execute(update(_PLAN).where(_PLAN.c.id == row.id).values(values))
    connection.execute(delete(_PLACE).where(_PLACE.c.plan_id == row.id))
    _put_places(connection, row.id, places)
    _follow(connection, _SUBSCRIPTION.c.plan_id == row.id)
    changes.record(connection, now, f"plan {slug} changed")
    return one(connection, slug)


def remove(connection: Connection, slug: str, now: Instant) -> None:
    """Forget a plan nobody has; ProblemError 404, or 409 while somebody has it."""
    changes.queue(connection)
    row = _by_slug(connection, slug)
    held = select(_SUBSCRIPTION.c.id).where(_SUBSCRIPTION.c.plan_id == row.id).limit(1)
    if connection.execute(held).scalar() is not None:
        raise ProblemError(409, f"Members have the plan {slug!r}; take it from them first.")
    connection.execute(delete(_PLACE).where(_PLACE.c.plan_id == row.id))
    connection.execute(delete(_PLAN).where(_PLAN.c.id == row.id))
    changes.record(connection, now, f"plan {slug} removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A plan that a member has, from ``start`` to ``end`` (None: unbounded)."""

    plan: str
    name: str
    start: Instant | None
    end: Instant | None


def held_by(connection: Connection, member: str) -> list[Held]:
    """The plans a member has; ProblemError 404."""
    row = member_by_slug(connection, member)
    wanted = (
        select(_PLAN.c.slug, _PLAN.c.name, _SUBSCRIPTION.c.start, _SUBSCRIPTION.c.end)
        .join_from(_SUBSCRIPTION, _PLAN)
        .where(_SUBSCRIPTION.c.member_id == row.id)
        .order_by(_PLAN.c.name)
    )
    return [
        Held(plan=one.slug, name=one.name, start=one.start, end=one.end)
        for one in connection.execute(wanted)
    ]


def subscribe(
    connection: Connection,
    member: str,
    plan: str,
    start: Instant | None,
    end: Instant | None,
    now: Instant,
) -> Held:
    """Give a member a plan, or other dates for it. ProblemError 404."""
    changes.queue(connection)
    who, what = member_by_slug(connection, member), _by_slug(connection, plan)
    mine = (_SUBSCRIPTION.c.member_id == who.id) & (_SUBSCRIPTION.c.plan_id == what.id)
    known = connection.execute(select(_SUBSCRIPTION.c.id).where(mine)).scalar()
    dates = {"start": start, "end": end}
    if known is None:
        row = {"member_id": who.id, "plan_id": what.id}
        connection.execute(insert(_SUBSCRIPTION).values(row | dates))
    else:
        connection.execute(update(_SUBSCRIPTION).where(mine).values(dates))
    _follow(connection, mine)
    changes.record(connection, now, f"member {member} has plan {plan}")
    return Held(plan=plan, name=what.name, start=start, end=end)


def unsubscribe(connection: Connection, member: str, plan: str, now: Instant) -> None:
    """Take a plan from a member, with all it gave. ProblemError 404."""
    changes.queue(connection)
    who, what = member_by_slug(connection, member), _by_slug(connection, plan)
    mine = (_SUBSCRIPTION.c.member_id == who.id) & (_SUBSCRIPTION.c.plan_id == what.id)
    known = connection.execute(select(_SUBSCRIPTION.c.id).where(mine)).scalar()
    if known is None:
        raise ProblemError(404, f"This member does not have the plan {plan!r}.")
    connection.execute(delete(_ENTITLEMENT).where(_ENTITLEMENT.c.subscription_id == known))
    connection.execute(delete(_SUBSCRIPTION).where(mine))
    changes.record(connection, now, f"member {member} has no plan {plan} any more")


def _follow(connection: Connection, which: Any) -> None:
    """Make the standing rights of some subscriptions what their plans say; others stay."""
    wanted = select(_SUBSCRIPTION, _PLAN.c.schedule).join_from(_SUBSCRIPTION, _PLAN).where(which)
    rows = connection.execute(wanted).all()
    places = _places(connection, {row.plan_id for row in rows})
    for row in rows:
        _give(connection, row, places.get(row.plan_id, ()))


def _give(connection: Connection, row: Row[Any], places: Sequence[Row[Any]]) -> None:
    """Rights that remain keep their row: their name stands in events."""
    own = _ENTITLEMENT.c.subscription_id == row.id
    has = {(held.site_id, held.room_id): held.id for held in _all(connection, own)}
    values = {"schedule": row.schedule, "start": row.start, "end": row.end}
    for place in places:
        at = (place.site_id, place.room_id)
        if at in has:
            kept = update(_ENTITLEMENT).where(_ENTITLEMENT.c.id == has.pop(at))
            connection.execute(kept.values(values))
        else:
            whose = {"member_id": row.member_id, "subscription_id": row.id}
            where = {"site_id": place.site_id, "room_id": place.room_id}
            connection.execute(insert(_ENTITLEMENT).values(whose | where | values))
    connection.execute(delete(_ENTITLEMENT).where(_ENTITLEMENT.c.id.in_(has.values())))


def _all(connection: Connection, which: Any) -> Sequence[Row[Any]]:
    return connection.execute(select(_ENTITLEMENT).where(which)).all()


def _by_slug(connection: Connection, slug: str) -> Row[Any]:
    row = connection.execute(select(_PLAN).where(_PLAN.c.slug == slug)).one_or_none()
    if row is None:
        raise not_found("plan", slug)
    return row


def _put_places(
    connection: Connection, plan: int, places: Sequence[tuple[int, int | None]]
) -> None:
    rows = [{"plan_id": plan, "site_id": site, "room_id": room} for site, room in places]
    if rows:
        connection.execute(insert(_PLACE), rows)


def _places(connection: Connection, plans: Iterable[int]) -> dict[int, list[Row[Any]]]:
    rows = connection.execute(named(_PLACE).where(_PLACE.c.plan_id.in_(list(plans))))
    sorted_by_plan: dict[int, list[Row[Any]]] = {}
    for row in rows:
        sorted_by_plan.setdefault(row.plan_id, []).append(row)
    return sorted_by_plan


def _plan(row: Row[Any], places: Iterable[Row[Any]], members: int) -> Plan:
    return Plan(
        id=row.slug,
        name=row.name,
        kind=row.kind,
        schedule=row.schedule,
        places=tuple(Place(site=place.site, room=place.room) for place in places),
        members=members,
    )
