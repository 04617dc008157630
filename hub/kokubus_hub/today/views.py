"""``/today/{site}``: a page to work with, plain forms and no script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from kokubus.messages import Instant
from kokubus_hub.bookings import service as bookings
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.context import Hub, HubOf
from kokubus_hub.database import reading, writing
from kokubus_hub.doors import commands
from kokubus_hub.doors.service import door_by_slug
from kokubus_hub.i18n import marked as _
from kokubus_hub.i18n import words
from kokubus_hub.pages import language_of, page
from kokubus_hub.people import inbox, passes
from kokubus_hub.people.guests import Person
from kokubus_hub.people.members import add_member
from kokubus_hub.people.service import Who
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.security import COOKIE, SomeoneOrNot, check_form, of_cookie
from kokubus_hub.today import day

Done: TypeAlias = Literal["", "claimed", "invited", "unlocked"]
SAID: dict[str, str] = {
    "claimed": _("The badge is enrolled; the doors learn of it within a second."),
    "invited": _("The guest has a pass: open it, and show or send the link."),
    "unlocked": _("The door was told to open."),
}
NOT_ALLOWED = _("Sign in first.")
Text = Annotated[str, StringConstraints(max_length=200)]
Field = Annotated[str, Form(max_length=200)]
router = APIRouter(prefix="/today", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Note:
    """What stands above the page: what a form did, to which row, or what is wrong with it."""

    said: str = ""
    of: str = ""
    wrong: str = ""
    status: int = 200


@router.get("/{site}", response_class=HTMLResponse)
def today(
    request: Request, site: str, hub: HubOf, who: SomeoneOrNot, done: Done = "", of: str = ""
) -> Response:
    """The day of a site; ``done`` says what a form just did."""
    if who is None:
        return RedirectResponse("/sign-in", 303)
    return _shown(request, hub, site, who, Note(said=SAID.get(done, ""), of=of[:64]))


@router.post("/{site}/unlock")
def unlock(
    request: Request, site: str, hub: HubOf, door: Field, reason: Field, csrf: Field = ""
) -> Response:
    """Draw a bolt, for somebody the operator answers for."""
    who = _checked(request, hub, csrf)
    with reading(hub.engine) as connection:
        found = door_by_slug(connection, door, hub.now())
    if found is None or found.site != site:
        return _failed(request, hub, site, who, not_found("door", door))
    if len(reason.strip()) < 3:
        said = ProblemError(422, _("Say why the door is to be opened; the reason is kept."))
        return _failed(request, hub, site, who, said)
    try:
        commands.unlock(hub, found, reason.strip(), who.operator_id)
    except ProblemError as error:
        return _failed(request, hub, site, who, error)
    return _back(site, "unlocked", door)


@router.post("/{site}/claim")
def claim(
    request: Request,
    site: str,
    hub: HubOf,
    badge: Annotated[int, Form(ge=0, le=2**53)],
    member: Field,
    label: Field = "",
    csrf: Field = "",
) -> Response:
    """Say whose an unknown badge is."""
    who = _checked(request, hub, csrf)
    try:
        with writing(hub.engine, who.operator_id) as connection:
            slug = member.rpartition("(")[2].rstrip(") ")  # "Ada Beispiel (m-1234)"
            inbox.claim(connection, hub.keyring, badge, slug, label.strip() or None, hub.now())
    except ProblemError as error:
        return _failed(request, hub, site, who, error)
    return _back(site, "claimed")


class Invited(BaseModel):
    """The form of a guest's pass."""

    name: Text
    room: Text
    until: Text
    email: Text = ""
    csrf: Text = ""


@router.post("/{site}/invite")
def invite(request: Request, site: str, hub: HubOf, given: Annotated[Invited, Form()]) -> Response:
    """A booking from now on and a pass, for somebody who stands there."""
    who = _checked(request, hub, given.csrf)
    try:
        with writing(hub.engine, who.operator_id) as connection:
            made = _invited(connection, hub, site, given)
    except ProblemError as error:
        return _failed(request, hub, site, who, error)
    return _back(site, "invited", f"booking-{made}")


def _invited(connection: Connection, hub: Hub, site: str, given: Invited) -> int:
    now = hub.now()
    found = day.read(connection, hub, site).site
    if given.room not in {one.slug for one in found.rooms}:
        raise not_found("room", given.room)
    span = (_time(now), _until(given.until, found.timezone, now))
    guest = _guest(connection, given.name.strip(), given.email.strip(), now)
    made = bookings.make(connection, Wanted(room=given.room, span=span, **guest), now)
    passes.provide(connection, hub.keyring, now, [made.id])
    return int(made.id)


def _checked(request: Request, hub: Hub, csrf: str) -> Who:
    who = of_cookie(hub, request.cookies.get(COOKIE))
    if who is None:
        raise ProblemError(401, NOT_ALLOWED)
    check_form(request, who, csrf)
    return who


def _guest(connection: Connection, name: str, email: str, now: Instant) -> dict[str, Any]:
    """Who the pass is for; somebody without an address becomes a guest as well."""
    if email:
        return {"booker": Person(email=email, name=name)}
    if not name:
        raise ProblemError(422, _("A guest needs a name or an e-mail address."))
    return {"member": add_member(connection, {"kind": "guest", "name": name}, now).slug}


def _until(clock: str, timezone: str, now: Instant) -> datetime:
    """Today at ``HH:MM``, or tomorrow if that is past: somebody works late."""
    zone = ZoneInfo(timezone)
    here = _time(now).astimezone(zone)
    try:
        at = datetime.strptime(clock, "%H:%M").time()  # noqa: DTZ007 - a clock's reading has no zone
    except ValueError as error:
        raise ProblemError(422, _("Give the end as hours and minutes, like 17:30.")) from error
    end = datetime.combine(here.date(), at, zone)
    return end if end > here else datetime.combine(here.date() + timedelta(1), at, zone)


def _time(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _back(site: str, done: Done, of: str = "") -> Response:
    query = f"?done={done}" + (f"&of={of}" if of else "")
    return RedirectResponse(f"/today/{site}{query}", 303)


def _failed(request: Request, hub: Hub, site: str, who: Who, error: ProblemError) -> Response:
    return _shown(request, hub, site, who, Note(wrong=str(error), status=error.status))


def _shown(request: Request, hub: Hub, site: str, who: Who, note: Note) -> HTMLResponse:
    with reading(hub.engine) as connection:
        found = day.read(connection, hub, site)
    told = words(language_of(request))
    end = _time(hub.now() + 2 * day.HOUR_MS).astimezone(ZoneInfo(found.site.timezone))
    return page(
        request,
        "today.html",
        note.status,
        day=found,
        who=who,
        said=told.say(note.said) if note.said else "",
        wrong=told.say(note.wrong) if note.wrong else "",
        of=note.of,
        until=f"{end:%H}:00",
        here=f"/today/{site}",
    )
