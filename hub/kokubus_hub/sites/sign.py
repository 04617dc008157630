"""The sheet beside a door: what the lights mean, whom to call, and where to look; A5, to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, takewhile
from typing import Any

import segno
from sqlalchemy import Connection, Row, select

from kokubus.happenings import Pattern
from kokubus_hub import models
from kokubus_hub.i18n import marked as _
from kokubus_hub.models import table
from kokubus_hub.pages import STATIC, render
from kokubus_hub.problems import not_found
from kokubus_hub.settings import Settings

Step = tuple[float, str]
"""(seconds, colour of the light; "" is dark)."""
SHOWN_S = 3.0
_SITE = table(models.Site)
LIGHTS: Mapping[Pattern, tuple[Sequence[Step], str]] = {
    Pattern.GRANTED: (((60.0, "green"),), _("The door is open: push it.")),
    Pattern.WAITING: (((5.0, "amber"),), _("One moment, please.")),
    Pattern.TRY_AGAIN: (((0.15, "amber"), (0.15, "")) * 3, _("Not read: please try once more.")),
    Pattern.DENIED: (((0.7, "red"), (0.3, "")) * 2, _("Not now. Call us if it should open.")),
    Pattern.LOCKED_OUT: (((2.0, "red"),), _("Too many wrong PINs: please wait.")),
    Pattern.HELD: (((0.25, "red"), (0.25, "")), _("The door stands open: please close it.")),
    Pattern.FREE: (((0.5, "green"), (0.5, "")), _("Open for everybody: come in.")),
    Pattern.LOCKDOWN: (((0.1, "red"), (0.9, "")), _("Locked down: nobody comes in now.")),
    Pattern.OUT_OF_ORDER: (
        ((0.1, "red"), (0.2, ""), (0.1, "red"), (2.6, "")),
        _("The reader does not work: please call us."),
    ),
}
"""Each pattern of a door's light as the agent shows it, and its meaning in few words."""
STAYING = frozenset({Pattern.HELD, Pattern.FREE, Pattern.LOCKDOWN, Pattern.OUT_OF_ORDER})


@dataclass(frozen=True, slots=True)
class Sign:
    """What a site's sheet says. ``qr`` is an SVG, or None where the hub has no public address."""

    site: Row[Any]
    qr: str | None


def sign_of(connection: Connection, settings: Settings, site: str) -> Sign:
    """A site's sheet; ProblemError 404."""
    row = connection.execute(select(_SITE).where(_SITE.c.slug == site)).one_or_none()
    if row is None:
        raise not_found("site", site)
    return Sign(row, _qr(f"{settings.address}/") if settings.public_url else None)


def printed(sign: Sign) -> str:
    """The sheet as HTML with its style inside: one file that loads nothing."""
    lights = [(list(_drawn(pattern)), said) for pattern, (_steps, said) in LIGHTS.items()]
    style = (STATIC / "sign.css").read_text()
    return render("de", "sign.html", sign=sign, lights=lights, style=style, whole=SHOWN_S)


def _drawn(pattern: Pattern) -> Iterator[tuple[float, float, str]]:
    """(from, seconds, colour) of each light within the first seconds; blinking may go on."""
    steps = LIGHTS[pattern][0]
    played = cycle(steps) if pattern in STAYING else iter(steps)
    starts = takewhile(lambda step: step[0] < SHOWN_S, _timed(played))
    for start, seconds, colour in starts:
        if colour:
            yield round(start, 2), round(min(seconds, SHOWN_S - start), 2), colour


def _timed(steps: Iterator[Step]) -> Iterator[tuple[float, float, str]]:
    start = 0.0
    for seconds, colour in steps:
        yield start, seconds, colour
        start += seconds


def _qr(address: str) -> str:
    made: str = segno.make(address, error="m").svg_inline(border=0, scale=1, omitsize=True)
    return made
