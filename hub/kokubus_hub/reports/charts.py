"""What a report draws: numbers for SVG, so that templates only place them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kokubus_hub.reports.service import Report

WIDTH, HEIGHT = 640, 180
LABELS = 160
"""The room left of lying bars, for the names of stops."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from ``at``, ``size`` long, with a whisker from ``low`` to ``high``."""

    label: str
    value: float
    at: float
    size: float
    low: float | None
    high: float | None
    here: bool = False
    since: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, how thick each may be, and the axis: (value, where it is drawn)."""

    bars: list[Bar]
    thick: float
    ticks: list[tuple[int, float]]
    line: float | None = None
    height: float = HEIGHT


def weeks(report: Report) -> Chart | None:
    """Person-hours of each period of a week; standing bars. None for fewer than two."""
    told = [
        (period.start, period.site_name, value)
        for period in report.periods
        if period.level == "week" and period.figures
        if (value := period.figures["person_hours"]).value is not None
    ]
    if len(told) < 2:
        return None
    top = _top([value.high or value.value or 0 for _, _, value in told])
    step = WIDTH / len(told)

    def up(number: float | None) -> float | None:
        return None if number is None else round(HEIGHT - number / top * HEIGHT, 1)

    bars = [
        Bar(
            site,
            value.value or 0,
            round(place * step, 1),
            round((value.value or 0) / top * HEIGHT, 1),
            up(value.low),
            up(value.high),
            since=start,
        )
        for place, (start, site, value) in enumerate(told)
    ]
    ticks = [(tick, round(HEIGHT - tick / top * HEIGHT, 1)) for tick in _ticks(top)]
    return Chart(bars, round(0.7 * step, 1), ticks)


def stops(report: Report) -> Chart | None:
    """Person-hours a week of every stop; lying bars, and the line of break-even."""
    if not report.stops:
        return None
    means = [(one, one.stop.person_hours) for one in report.stops if one.stop.person_hours]
    bar = report.stops[0].stop.break_even
    top = _top([bar, *(mean.high or mean.value for _, mean in means)])
    scale = (WIDTH - LABELS) / top

    def along(number: float | None) -> float | None:
        return None if number is None else round(LABELS + max(0.0, number) * scale, 1)

    bars = [
        Bar(
            one.name,
            mean.value,
            place * 30.0,
            round(mean.value * scale, 1),
            along(mean.low),
            along(mean.high),
            one.here,
            one.start,
        )
        for place, (one, mean) in enumerate(means)
    ]
    ticks = [(tick, round(LABELS + tick * scale, 1)) for tick in _ticks(top)]
    return Chart(bars, 20.0, ticks, along(bar), 30.0 * len(bars))


def _top(values: Sequence[float]) -> float:
    """The end of the axis: a round number not below any value."""
    most = max([*values, 1.0])
    size = 10 ** (len(str(int(most))) - 1)
    return next(float(f * size) for f in (1, 2, 3, 4, 5, 6, 8, 10) if f * size >= most)


def _ticks(top: float) -> list[int]:
    return sorted({round(top * part / 4) for part in range(5)})
