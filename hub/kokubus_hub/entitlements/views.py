"""``/api/v1/plans``, ``/api/v1/entitlements`` and the plans of members."""

from __future__ import annotations

from fastapi import APIRouter

from kokubus.messages import Instant
from kokubus_hub.context import Cursor, HubOf, Limit, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.entitlements import keyholders, plans, service
from kokubus_hub.entitlements.schemas import (
    EntitlementIn,
    EntitlementOut,
    EntitlementPage,
    HeldIn,
    HeldOut,
    KeyholderOut,
    PlanIn,
    PlanNew,
    PlanOut,
)
from kokubus_hub.problems import ProblemError
from kokubus_hub.security import Someone
from kokubus_hub.times import instant

router = APIRouter(tags=["rights"])


@router.get("/plans", summary="Plans and roles")
def all_plans(hub: HubOf, _who: Someone) -> list[PlanOut]:
    """What each gives, and how many members have it."""
    with reading(hub.engine) as connection:
        return [PlanOut.of(plan) for plan in plans.every(connection)]


@router.post("/plans", status_code=201, summary="Add a plan or role")
def add_plan(new: PlanNew, hub: HubOf, who: Someone) -> PlanOut:
    """It opens nothing until members have it."""
    with writing(hub.engine, who.operator_id) as connection:
        return PlanOut.of(plans.add(connection, new.plan(new.id), hub.now()))


@router.get("/plans/{plan}", summary="One plan or role")
def plan(plan: str, hub: HubOf, _who: Someone) -> PlanOut:
    """What it gives."""
    with reading(hub.engine) as connection:
        return PlanOut.of(plans.one(connection, plan))


@router.put("/plans/{plan}", summary="Change a plan or role")
def change_plan(plan: str, to: PlanIn, hub: HubOf, who: Someone) -> PlanOut:
    """Whoever has it can enter by what it says now; every door learns of it within a second."""
    with writing(hub.engine, who.operator_id) as connection:
        return PlanOut.of(plans.change(connection, plan, to.plan(plan), hub.now()))


@router.delete("/plans/{plan}", status_code=204, summary="Remove a plan or role")
def remove_plan(plan: str, hub: HubOf, who: Someone) -> None:
    """Only one that nobody has."""
    with writing(hub.engine, who.operator_id) as connection:
        plans.remove(connection, plan, hub.now())


@router.get("/members/{member}/plans", summary="The plans a member has")
def plans_of(member: str, hub: HubOf, _who: Someone) -> list[HeldOut]:
    """With their dates."""
    with reading(hub.engine) as connection:
        held = plans.held_by(connection, member)
    return [HeldOut.model_validate(one, from_attributes=True) for one in held]


@router.put("/members/{member}/plans/{plan}", summary="Give a member a plan")
def subscribe(member: str, plan: str, span: HeldIn, hub: HubOf, who: Someone) -> HeldOut:
    """Given again, it has the new dates."""
    start, end = _span(span)
    with writing(hub.engine, who.operator_id) as connection:
        held = plans.subscribe(connection, member, plan, start, end, hub.now())
    return HeldOut.model_validate(held, from_attributes=True)


@router.delete("/members/{member}/plans/{plan}", status_code=204, summary="Take a plan back")
def unsubscribe(member: str, plan: str, hub: HubOf, who: Someone) -> None:
    """With everything it gave."""
    with writing(hub.engine, who.operator_id) as connection:
        plans.unsubscribe(connection, member, plan, hub.now())


@router.get("/members/{member}/entitlements", summary="What a member may enter without booking")
def entitlements_of(member: str, hub: HubOf, _who: Someone) -> list[EntitlementOut]:
    """Given by hand and by plans."""
    with reading(hub.engine) as connection:
        return [EntitlementOut.of(row) for row in service.of_member(connection, member)]


@router.get("/entitlements", summary="Standing rights")
def entitlements(
    hub: HubOf, _who: Someone, after: Cursor = 0, limit: Limit = 100
) -> EntitlementPage:
    """In the order they were given."""
    with reading(hub.engine) as connection:
        rows = service.page(connection, after, limit)
    following = rows[-1].id if len(rows) == limit else None
    return EntitlementPage(items=[EntitlementOut.of(row) for row in rows], next=following)


@router.post("/entitlements", status_code=201, summary="Give a standing right by hand")
def give(new: EntitlementIn, hub: HubOf, who: Someone) -> EntitlementOut:
    """Every door on the way learns of it within a second."""
    with writing(hub.engine, who.operator_id) as connection:
        row = service.give(connection, new.member, new.place, new.schedule, _span(new), hub.now())
        return EntitlementOut.of(row)


@router.delete("/entitlements/{entitlement}", status_code=204, summary="Take a right back")
def take_back(entitlement: RowId, hub: HubOf, who: Someone) -> None:
    """Only one given by hand; a plan's goes with the plan."""
    with writing(hub.engine, who.operator_id) as connection:
        service.take_back(connection, entitlement, hub.now())


@router.get("/sites/{site}/keyholders", summary="Who opens a site whatever else holds")
def keyholders_of(site: str, hub: HubOf, _who: Someone) -> list[KeyholderOut]:
    """At most three badges: the caretaker, the fire brigade."""
    with reading(hub.engine) as connection:
        return [KeyholderOut.of(row) for row in keyholders.of_site(connection, site)]


@router.put("/sites/{site}/keyholders/{badge}", summary="Make a badge a keyholder's")
def name_keyholder(site: str, badge: RowId, hub: HubOf, who: Someone) -> list[KeyholderOut]:
    """It opens the site's doors also when policies have expired; each use is an alarm."""
    with writing(hub.engine, who.operator_id) as connection:
        rows = keyholders.name(connection, site, badge, hub.now())
    return [KeyholderOut.of(row) for row in rows]


@router.delete("/sites/{site}/keyholders/{badge}", status_code=204, summary="No keyholder any more")
def take_keys(site: str, badge: RowId, hub: HubOf, who: Someone) -> None:
    """The badge opens by its holder's rights alone from then on."""
    with writing(hub.engine, who.operator_id) as connection:
        keyholders.take_back(connection, site, badge, hub.now())


def _span(given: HeldIn | EntitlementIn) -> tuple[Instant | None, Instant | None]:
    start = instant(given.start) if given.start else None
    end = instant(given.end) if given.end else None
    if start is not None and end is not None and start >= end:
        raise ProblemError(422, "It ends before it begins; swap `start` and `end`.")
    return start, end
