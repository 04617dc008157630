"""``/modes``: lock doors down or let them stand open, plain forms and no script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints
from sqlalchemy import Connection, Row, select
from starlette.responses import Response

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.context import Hub, HubOf, RowId
from kokubus_hub.database import reading, writing
from kokubus_hub.doors import modes
from kokubus_hub.doors.modes import Kind, Wanted
from kokubus_hub.i18n import marked as _
from kokubus_hub.i18n import words
from kokubus_hub.models import table
from kokubus_hub.pages import language_of, page
from kokubus_hub.people.service import Who
from kokubus_hub.problems import ProblemError
from kokubus_hub.security import COOKIE, SomeoneOrNot, check_form, of_cookie

Done: TypeAlias = Literal["", "begun", "ended"]
SAID: dict[str, str] = {
    "begun": _("It is on its way; connected doors have it within a second."),
    "ended": _("Taken back; connected doors know within a second."),
}
NOT_ALLOWED = _("Sign in first.")
NO_REASON = _("Say why, in at least three letters; the reason is kept with your name.")
NO_TIME = _("Give the end as a date and a time, or leave it out.")
HOUR_MS = 3_600_000
_SITE, _DOOR = table(models.Site), table(models.Door)
_SITES = select(_SITE.c.id, _SITE.c.slug, _SITE.c.name, _SITE.c.timezone).order_by(_SITE.c.name)
_DOORS = select(_DOOR.c.slug, _DOOR.c.name, _DOOR.c.site_id, _DOOR.c.free_passage)
router = APIRouter(prefix="/modes", include_in_schema=False)


class Begun(BaseModel):
    """The form: ``where`` is ``door:...``, ``site:...`` or ``everywhere``."""

    kind: Kind
    where: Annotated[str, StringConstraints(max_length=80)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    until: Annotated[str, StringConstraints(max_length=32)] = ""
    site: Annotated[str, StringConstraints(max_length=64)] = ""
    csrf: Annotated[str, StringConstraints(max_length=300)] = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What stands above the page, and what was typed when that is wrong."""

    said: str = ""
    wrong: str = ""
    status: int = 200
    typed: Begun | None = None


@router.get("", response_class=HTMLResponse)
def modes_page(
    request: Request, hub: HubOf, who: SomeoneOrNot, site: str = "", done: Done = ""
) -> Response:
    """What holds now and is to come, and the form; ``site`` is chosen in it."""
    if who is None:
        return RedirectResponse("/sign-in", 303)
    return _shown(request, hub, who, site[:64], Note(said=SAID.get(done, "")))


@router.post("")
def begin(request: Request, hub: HubOf, given: Annotated[Begun, Form()]) -> Response:
    """Begin a mode."""
    who = _checked(request, hub, given.csrf)
    try:
        with writing(hub.engine) as connection:
            wanted = _wanted(connection, given)
            modes.begin(connection, wanted, hub.now(), who.operator_id)
    except ProblemError as error:
        note = Note(wrong=str(error), status=error.status, typed=given)
        return _shown(request, hub, who, given.site, note)
    return _back(given.site, "begun")


@router.post("/{mode}/end")
def end(
    request: Request,
    mode: RowId,
    hub: HubOf,
    csrf: Annotated[str, Form(max_length=300)] = "",
    site: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Take a mode back."""
    who = _checked(request, hub, csrf)
    try:
        with writing(hub.engine) as connection:
            modes.end(connection, mode, None, hub.now(), who.operator_id)
    except ProblemError as error:
        return _shown(request, hub, who, site, Note(wrong=str(error), status=error.status))
    return _back(site, "ended")


def _wanted(connection: Connection, given: Begun) -> Wanted:
    if len(given.reason) < 3:
        raise ProblemError(422, NO_REASON)
    kind, _colon, name = given.where.partition(":")
    zone = _zone(connection.execute(_SITES).all(), given.site)
    return Wanted(
        kind=given.kind,
        reason=given.reason,
        door=name if kind == "door" else None,
        site=name if kind == "site" else None,
        end=_instant(given.until, zone) if given.until else None,
    )


def _instant(text: str, zone: ZoneInfo) -> Instant:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1000
    except (ValueError, OverflowError) as error:
        raise ProblemError(422, NO_TIME) from error


def _zone(sites: Any, chosen: str) -> ZoneInfo:
    """The clock that the form means: the chosen site's, else the first one's."""
    zones = {row.slug: row.timezone for row in sites}
    return ZoneInfo(zones.get(chosen) or next(iter(zones.values()), "Europe/Berlin"))


def _checked(request: Request, hub: Hub, csrf: str) -> Who:
    who = of_cookie(hub, request.cookies.get(COOKIE))
    if who is None:
        raise ProblemError(401, NOT_ALLOWED)
    check_form(request, who, csrf)
    return who


def _back(site: str, done: Done) -> Response:
    return RedirectResponse(f"/modes?done={done}" + (f"&site={site}" if site else ""), 303)


def _shown(request: Request, hub: Hub, who: Who, site: str, note: Note) -> HTMLResponse:
    now, told = hub.now(), words(language_of(request))
    with reading(hub.engine) as connection:
        held = modes.in_force(connection, now)
        sites = connection.execute(_SITES).all()
        doors = connection.execute(_DOORS.order_by(_DOOR.c.id)).all()
    zone = _zone(sites, site)
    soon = datetime.fromtimestamp((now + 2 * HOUR_MS) / 1000, UTC).astimezone(zone)
    return page(
        request,
        "modes.html",
        note.status,
        who=who,
        now=now,
        zone=str(zone),
        held=held,
        names=_names(sites, doors),
        sites=[(row, [door for door in doors if door.site_id == row.id]) for row in sites],
        chosen=site if any(row.slug == site for row in sites) else "",
        typed=note.typed,
        until=f"{soon:%Y-%m-%dT%H}:00",
        said=told.say(note.said) if note.said else "",
        wrong=told.say(note.wrong) if note.wrong else "",
    )


def _names(sites: Any, doors: Any) -> dict[str, str]:
    """What doors and sites are called, by slug; a door with its site."""
    called: dict[int, Row[Any]] = {row.id: row for row in sites}
    named = {row.slug: row.name for row in sites}
    return named | {door.slug: f"{door.name}, {called[door.site_id].name}" for door in doors}
