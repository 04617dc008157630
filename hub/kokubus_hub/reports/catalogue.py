"""Every figure of a report: its name, its unit and how it is defined.

Beside each stands how blocks are put together: added up; the range from the largest to the sum
(people of one block may be those of another); the largest; or a share of two sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kokubus_hub.i18n import marked as _


class How(StrEnum):
    """How the figures of several blocks make one."""

    SUM = "sum"
    RANGE = "range"
    LARGEST = "largest"
    MIDDLE = "middle"
    SHARE = "share"
    PARTS = "parts"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure. ``of`` are the two sums of a share; ``interval`` is the key of its 90 % range."""

    key: str
    label: str
    definition: str
    unit: str = ""
    how: How = How.SUM
    of: tuple[str, str] = ("", "")
    interval: str = ""


FIGURES = (
    Figure(
        "utilisation",
        _("Utilisation"),
        _(
            "Person-hours while open, divided by places times open hours. Everything is counted"
            " by the occupancy estimate, not by bookings."
        ),
        "%",
        How.SHARE,
        ("person_hours_open", "place_hours"),
    ),
    Figure(
        "fullness",
        _("Time full"),
        _(
            "Share of the open time that was counted in which at least 80 % of the places were"
            " taken."
        ),
        "%",
        How.SHARE,
        ("full_hours", "measured_hours"),
    ),
    Figure(
        "peak",
        _("Peak"),
        _(
            "The 95th percentile of the means of 15 minutes while open, in per cent of the places;"
            " of several periods the highest."
        ),
        "%",
        How.LARGEST,
    ),
    Figure(
        "person_hours",
        _("Person-hours"),
        _(
            "The estimated number of people, added up over time, also outside opening hours. The"
            " range is the 90 % interval of the estimate."
        ),
        "h",
        interval="person_hours_range",
    ),
    Figure("open_hours", _("Open hours"), _("Opening hours without closures."), "h"),
    Figure(
        "people",
        _("Different people"),
        _(
            "Members who were let in by their badge or had booked. Of several periods between the"
            " largest and the sum, since nobody is followed from one to the next."
        ),
        "",
        How.RANGE,
    ),
    Figure("visits", _("Visits"), _("A member on a day, however often they went in and out.")),
    Figure(
        "new",
        _("New people"),
        _("Visitors who had not been let in here in the 30 days before the period."),
        "",
        How.RANGE,
    ),
    Figure(
        "returning",
        _("Returning people"),
        _("Visitors who had been let in here in the 30 days before the period."),
        "",
        How.RANGE,
    ),
    Figure(
        "bookings",
        _("Bookings"),
        _("Confirmed bookings that began in the period; events are not in."),
    ),
    Figure(
        "bookings_used",
        _("Bookings used"),
        _("Bookings whose holder or guest came in on one of its days, or checked in."),
    ),
    Figure("no_shows", _("No-shows"), _("Bookings for which nobody came.")),
    Figure("walk_ins", _("Walk-ins"), _("Visits of members who had no booking on that day.")),
    Figure(
        "purposes",
        _("Bookings by purpose"),
        _("Bookings by the purpose of the room they are for."),
        "",
        How.PARTS,
    ),
    Figure(
        "visits_by_band",
        _("Visits by postcode band"),
        _(
            "Visits by the first digits of the postcode that members would else have driven to;"
            " who wants to gives them. ?: the others."
        ),
        "",
        How.PARTS,
    ),
    Figure(
        "dwell_minutes",
        _("Length of stay"),
        _(
            "Median time from badge-in to badge-out at the outer doors, to the quarter of an hour;"
            " only where at least half of the visits have a badge-out."
        ),
        "min",
        How.MIDDLE,
    ),
    Figure(
        "turned_away_hours",
        _("Hours turned away"),
        _("Hours in which a door denied somebody because no place was free."),
        "h",
    ),
    Figure(
        "wary_air_hours",
        _("Air above 1,000 ppm CO2"),
        _("Open hours in which the worst room's mean of 15 minutes lay above 1,000 ppm."),
        "h",
    ),
    Figure(
        "bad_air_hours",
        _("Air above 1,400 ppm CO2"),
        _("Open hours in which the worst room's mean of 15 minutes lay above 1,400 ppm."),
        "h",
    ),
)
BY_KEY = {figure.key: figure for figure in FIGURES}
UNKNOWN_BAND = "?"
HEAT = _(
    "Mean share of the places by weekday and hour over the whole stay, in quarters. Grey: fewer"
    " than three weeks were counted, or fewer than five people were there in that hour."
)
PILOT = _(
    "A week's person-hours are one value; the interval of their mean is Student's over the weeks,"
    " and the probability follows from it under a flat prior. Weeks that were told together weigh"
    " as many as they are. Where only one period was told, the interval is the occupancy"
    " estimate's and does not know how weeks differ. Stops are compared as they were; season and"
    " weather are not taken out."
)
COMMUTING = _(
    "{visits} visits x 2 ways x {low} to {high} km less each way; of 100 km {car} by car, at"
    " {grams} g CO2 equivalents a person and km ({year}). That is an assumption for everybody, not"
    " anybody's way. Source: {source}"
)
BANDS = _("Besides, by postcode band, both ways: {bands}.")
BAND = _("{visits} visits instead of {band}: {low} to {high} km each way")
PRIVACY = _(
    "No figure is about fewer than five people; counts are rounded to five. Time is divided once"
    " and for good: into days, else weeks, else the weeks of a stay that had too few people each"
    " together. Totals add up what is told, so nothing can be found by subtraction; what was told"
    " stays as it is. A dash means: too few people, or not counted."
)
