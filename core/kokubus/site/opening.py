"""Opening hours of a day, as a site's TOML and the hub's database hold them.

Hours that end before they begin end on the next day; ``00:00-24:00`` is the whole day. They
are read in the site's own time zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
_FORM = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes after midnight, ``start < end``; beyond 1440 is the next day."""

    start: int
    end: int


def hours(text: str) -> Hours:
    """``HH:MM-HH:MM`` as minutes; ValueError with a sentence for anything else.

    >>> hours("22:00-02:00")
    Hours(start=1320, end=1560)
    """
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} are no hours; write them as 07:00-20:00 or 22:00-02:00")
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    if start == end:
        raise ValueError(f"{text!r} begin and end together; the whole day is 00:00-24:00")
    return Hours(start, end if end > start else end + _DAY_MIN)
