"""``/api/v1/reports`` and ``/reports``: for coordinators; nobody else is shown anything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from kokubus_hub.context import HubOf
from kokubus_hub.database import reading
from kokubus_hub.i18n import marked as _
from kokubus_hub.i18n import words
from kokubus_hub.pages import language_of, page
from kokubus_hub.problems import ProblemError
from kokubus_hub.reports import charts, service
from kokubus_hub.reports.catalogue import FIGURES, HEAT, PILOT, PRIVACY
from kokubus_hub.reports.schemas import ListedOut, ReportOut, assumed, table_of
from kokubus_hub.reports.service import Scope
from kokubus_hub.security import Someone, SomeoneOrNot

NO_RANGE = _(
    "A report knows no free range: ranges that overlap could be subtracted, and small numbers"
    " found. Ask for a year (?year=2026) or for all of it."
)
_RANGES = frozenset({"from", "until", "to", "start", "end", "since", "before", "after"})


def _year(
    request: Request, year: Annotated[int | None, Query(ge=2000, le=2100)] = None
) -> int | None:
    if _RANGES & request.query_params.keys():
        raise ProblemError(422, words(language_of(request)).say(NO_RANGE))
    return year


Year = Annotated[int | None, Depends(_year)]
router = APIRouter(prefix="/reports", tags=["reports"])
pages = APIRouter(prefix="/reports", include_in_schema=False)


class Csv(Response):
    """A table, said in the API's OpenAPI as what it is."""

    media_type = "text/csv"


@router.get("", summary="What there are reports of")
def listed(hub: HubOf, _who: Someone) -> list[ListedOut]:
    """Municipalities, sites and stops of the container."""
    with reading(hub.engine) as connection:
        found = service.contents(connection)
    return [ListedOut(scope=o.scope, name=o.name, title=o.title, since=o.since) for o in found]


@router.get("/{scope}/{name}", summary="A report")
def report(
    request: Request, scope: Scope, name: str, hub: HubOf, _who: Someone, year: Year
) -> ReportOut:
    """Released periods and their totals, every figure with its definition."""
    with reading(hub.engine) as connection:
        found = service.report(connection, hub.settings, scope, name, year)
    return ReportOut.of(found, words(language_of(request)))


@router.get("/{scope}/{name}/csv", summary="A report as CSV", response_class=Csv)
def report_csv(
    request: Request, scope: Scope, name: str, hub: HubOf, _who: Someone, year: Year
) -> Response:
    """The same, a row a figure and period."""
    with reading(hub.engine) as connection:
        found = service.report(connection, hub.settings, scope, name, year)
    text = table_of(found, words(language_of(request)))
    headers = {"Content-Disposition": f'attachment; filename="kokubus-{scope}-{name}.csv"'}
    return Csv(text, headers=headers)


@pages.get("", response_class=HTMLResponse)
def overview(request: Request, hub: HubOf, who: SomeoneOrNot) -> Response:
    """What there are reports of; who is not signed in is asked to."""
    if who is None:
        return RedirectResponse("/sign-in", 303)
    with reading(hub.engine) as connection:
        found = service.contents(connection)
    return page(request, "reports.html", listed=found, scopes=list(Scope), who=who)


@pages.get("/{scope}/{name}", response_class=HTMLResponse)
def one(
    request: Request, scope: Scope, name: str, hub: HubOf, who: SomeoneOrNot, year: Year
) -> Response:
    """A report to read and to print."""
    if who is None:
        return RedirectResponse("/sign-in", 303)
    with reading(hub.engine) as connection:
        found = service.report(connection, hub.settings, scope, name, year)
    return page(
        request,
        "report.html",
        report=found,
        figures=FIGURES,
        privacy=PRIVACY,
        heat_means=HEAT,
        pilot_means=PILOT,
        assumed=assumed,
        bars=charts.weeks(found),
        compared=charts.stops(found),
        who=who,
        year=year,
        csv=f"/api/v1/reports/{scope}/{name}/csv" + (f"?year={year}" if year else ""),
    )
