"""Reports in JSON and CSV, each figure with its definition."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from kokubus.site.opening import DAYS
from kokubus_hub.i18n import Words
from kokubus_hub.reports.adding import Value
from kokubus_hub.reports.catalogue import (
    BAND,
    BANDS,
    COMMUTING,
    FIGURES,
    HEAT,
    PILOT,
    PRIVACY,
    Figure,
)
from kokubus_hub.reports.pilot import Commuting
from kokubus_hub.reports.service import Compared, Period, Report, Scope
from kokubus_hub.reports.statistics import Mean
from kokubus_hub.times import Time, iso

COLUMNS = (
    "level",
    "from",
    "until",
    "site",
    "figure",
    "part",
    "value",
    "low",
    "high",
    "unit",
    "definition",
)
TOTAL = ("total", "", "", "")


class ValueOut(BaseModel):
    """A value, or its range ``low`` to ``high``; all null where it may not be told."""

    value: float | None
    low: float | None
    high: float | None
    parts: dict[str, int | None] | None = None

    @classmethod
    def of(cls, value: Value) -> ValueOut:
        """The value as JSON."""
        return cls(
            value=value.value,
            low=value.low,
            high=value.high,
            parts=None if value.parts is None else dict(value.parts),
        )


class PeriodOut(BaseModel):
    """A day, a week, or the rest of a stay; ``figures`` is null where they are held back."""

    level: Literal["day", "week", "stay"]
    start: Time = Field(serialization_alias="from")
    end: Time = Field(serialization_alias="until")
    site: str
    municipality: str
    figures: dict[str, ValueOut] | None

    @classmethod
    def of(cls, period: Period) -> PeriodOut:
        """The period as JSON."""
        told = period.figures
        return cls.model_validate(
            {
                "level": period.level,
                "start": period.start,
                "end": period.end,
                "site": period.site,
                "municipality": period.municipality,
                "figures": told and {key: ValueOut.of(value) for key, value in told.items()},
            }
        )


class Definition(BaseModel):
    """What a figure means."""

    label: str
    unit: str
    definition: str


class ReportOut(BaseModel):
    """A report. What is held back and why is said in ``privacy``."""

    scope: Scope
    name: str
    title: str
    privacy: str
    definitions: dict[str, Definition]
    totals: dict[str, ValueOut]
    periods: list[PeriodOut]
    heat: list[list[int | None]] | None
    heat_definition: str
    commuting: dict[str, Any] | None
    commuting_definition: str | None
    stops: list[dict[str, Any]]
    stops_definition: str

    @classmethod
    def of(cls, report: Report, words: Words) -> ReportOut:
        """The report in somebody's language."""
        return cls(
            scope=report.scope,
            name=report.name,
            title=report.title,
            privacy=words.say(PRIVACY),
            definitions={figure.key: _definition(figure, words) for figure in FIGURES},
            totals={key: ValueOut.of(value) for key, value in report.totals.items()},
            periods=[PeriodOut.of(period) for period in report.periods],
            heat=report.heat,
            heat_definition=words.say(HEAT),
            commuting=asdict(report.commuting) if report.commuting else None,
            commuting_definition=assumed(report.commuting, words) if report.commuting else None,
            stops=[_stop(one) for one in report.stops],
            stops_definition=words.say(PILOT),
        )


class ListedOut(BaseModel):
    """Something there is a report of."""

    scope: Scope
    name: str
    title: str
    since: Time | None


def _definition(figure: Figure, words: Words) -> Definition:
    said = words.say(figure.definition)
    return Definition(label=words.say(figure.label), unit=figure.unit, definition=said)


def assumed(way: Commuting, words: Words) -> str:
    """The formula of the ways that were not driven, with its factors, their year and source."""
    low, high = way.km_each
    said = words.say(
        COMMUTING,
        visits=words.number(way.visits),
        low=low,
        high=high,
        car=way.car_percent,
        grams=way.g_per_km,
        year=way.year,
        source=way.source,
    )
    bands = "; ".join(
        words.say(BAND, band=band, visits=words.number(visits), low=least, high=most)
        for band, visits, least, most in way.bands
    )
    return f"{said} {words.say(BANDS, bands=bands)}" if bands else said


def _stop(one: Compared) -> dict[str, Any]:
    named = {"placement": one.placement, "name": one.name, "since": iso(one.start)}
    return named | {"here": one.here} | asdict(one.stop)


def table_of(report: Report, words: Words) -> str:
    """The report as CSV: a row a figure and period, then what they add up to (level ``total``).

    In ``part`` stand a purpose, the stop of a container, or the weekday and hour of ``heat``.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(_rows(report, words))
    return file.getvalue()


def _rows(report: Report, words: Words) -> Iterator[tuple[object, ...]]:
    for period in report.periods:
        head = (period.level, iso(period.start), iso(period.end), period.site)
        if period.figures is None:
            yield (*head, "", "", "", "", "", "", words.say(PRIVACY))
        else:
            yield from _figures(head, period.figures, words)
    yield from _figures(TOTAL, report.totals, words)
    if report.commuting:
        yield from _commuting(report.commuting, words)
    for one in report.stops:
        yield from _assessed(one, words)
    for weekday, hours in zip(DAYS, report.heat or (), strict=False):
        for hour, level in enumerate(hours):
            part = f"{weekday} {hour:02}:00"
            yield (*TOTAL, "heat", part, _cell(level), "", "", "0-4", words.say(HEAT))


def _commuting(way: Commuting, words: Words) -> Iterator[tuple[object, ...]]:
    for name, (low, high), unit in (("km", way.km, "km"), ("co2", way.co2_kg, "kg")):
        yield (*TOTAL, f"commuting_{name}", "", "", low, high, unit, assumed(way, words))


def _assessed(one: Compared, words: Words) -> Iterator[tuple[object, ...]]:
    """A stop of a container, whether or not it is one of this report's."""
    stop, said = one.stop, words.say(PILOT)
    share = None if stop.probability is None else round(100 * stop.probability)
    values: tuple[tuple[str, Mean | float | None, str], ...] = (
        ("stop_person_hours", stop.person_hours, "h/week"),
        ("stop_change", stop.change, "h/week/week"),
        ("stop_turned_away", stop.turned_away, "h/week"),
        ("stop_break_even", stop.break_even, "h/week"),
        ("stop_above_break_even", share, "%"),
    )
    for key, given, unit in values:
        mean = given if isinstance(given, Mean) else Mean(given or 0.0, None, None, 1)
        value = None if given is None else mean.value
        cells = (_tenth(value), _tenth(mean.low), _tenth(mean.high))
        yield ("total", iso(one.start), "", "", key, one.name, *cells, unit, said)


def _figures(
    head: tuple[str, ...], values: dict[str, Value], words: Words
) -> Iterator[tuple[object, ...]]:
    for figure in FIGURES:
        value, said = values[figure.key], words.say(figure.definition)
        tail = (figure.unit, said)
        if value.parts is None:
            yield (*head, figure.key, "", *map(_cell, (value.value, value.low, value.high)), *tail)
            continue
        for name, count in value.parts.items():
            yield (*head, figure.key, name, _cell(count), "", "", *tail)


def _tenth(value: float | None) -> str:
    return _cell(None if value is None else round(value, 1))


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
