"""The JSON of Grafana's panels, as far as our dashboards need it.

Source: Grafana's dashboard JSON model, schema version 39 (Grafana 10 and newer).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DATASOURCE = {"type": "influxdb", "uid": "kokubus"}
SCHEMA = 39
WIDTH = 24
LANGUAGES = ("de", "en")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """A text in both languages."""

    de: str
    en: str

    def __getitem__(self, language: str) -> str:
        return str(getattr(self, language))


@dataclass(frozen=True, slots=True)
class Query:
    """An InfluxQL query; ``alias`` names its series (``$tag_site``)."""

    text: str
    alias: Say | str = ""
    table: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``size`` is width and height in the grid of 24; places are found in order."""

    kind: str
    title: Say
    description: Say
    queries: tuple[Query, ...]
    size: tuple[int, int] = (12, 8)
    unit: str = "short"
    decimals: int | None = 0
    band: tuple[str, str] | None = None
    most: float | None = None
    stacked: bool = False
    bars: bool = False
    since: str | None = None
    steps: tuple[tuple[float, str], ...] = ()
    names: dict[str, Say] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard; ``choices`` are its variables, by name."""

    uid: str
    title: Say
    description: Say
    choices: tuple[str, ...]
    panels: tuple[Panel, ...]
    since: str = "now-24h"
    refresh: str = "1m"
    measurement: str = "occupancy"


CHOICES = {
    "municipality": Say("Gemeinde", "Municipality"),
    "site": Say("Ort", "Place"),
    "room": Say("Raum", "Room"),
}

NAMES = {
    "site": Say("Ort", "Place"),
    "door": Say("Tür", "Door"),
    "device": Say("Gerät", "Device"),
    "kind": Say("Was", "What"),
    "reason": Say("Grund", "Reason"),
    "people": Say("Menschen", "People"),
    "low": Say("mindestens", "at least"),
    "high": Say("höchstens", "at most"),
    "capacity": Say("Plätze", "Places"),
    "count": Say("Anzahl", "Count"),
    "online": Say("verbunden", "online"),
    "since_s": Say("seit", "for"),
}
"""Columns of tables, as people call them."""
AIR = ((1_000.0, "yellow"), (1_400.0, "red"))
"""ppm CO2 from which a room needs air, and needs it badly."""


def build(board: Board, language: str) -> Json:
    """The dashboard in one language, as Grafana stores it."""
    return {
        "uid": f"{board.uid}-{language}",
        "title": board.title[language],
        "description": board.description[language],
        "tags": ["kokubus", language],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": SCHEMA,
        "version": 1,
        "refresh": board.refresh,
        "time": {"from": board.since, "to": "now"},
        "timezone": "browser",
        "templating": {"list": _choices(board, language)},
        "annotations": {"list": []},
        "links": [_link(language)],
        "panels": _placed(board.panels, language),
    }


def _link(language: str) -> Json:
    """From each dashboard to the others, with what was chosen."""
    return {
        "type": "dashboards",
        "title": "KoKubus",
        "tags": ["kokubus", language],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


def _choices(board: Board, language: str) -> list[Json]:
    found, within = [], ""
    for name in board.choices:
        asked = f'SHOW TAG VALUES FROM "{board.measurement}" WITH KEY = "{name}"{within}'
        found.append(_choice(name, CHOICES[name][language], asked, language))
        joined = " AND " if within else " WHERE "
        within += f'{joined}"{name}" =~ /^${name}$/'
    return found


def _choice(name: str, label: str, asked: str, language: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": asked,
        "definition": asked,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "sort": 1,
        "current": {"text": [{"de": "Alle", "en": "All"}[language]], "value": ["$__all"]},
    }


def _placed(panels: tuple[Panel, ...], language: str) -> list[Json]:
    """Rows from left to right; a panel that does not fit begins the next row."""
    made, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        width, tall = panel.size
        if x + width > WIDTH:
            x, y, height = 0, y + height, 0
        grid = {"x": x, "y": y, "w": width, "h": tall}
        made.append(_panel(number, panel, grid, language))
        x, height = x + width, max(height, tall)
    return made


def _panel(number: int, panel: Panel, grid: Json, language: str) -> Json:
    made = {
        "id": number,
        "type": panel.kind,
        "title": panel.title[language],
        "description": panel.description[language],
        "datasource": DATASOURCE,
        "gridPos": grid,
        "targets": [_target(n, query, language) for n, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel, language)},
        "options": _options(panel),
    }
    return made | ({"timeFrom": panel.since} if panel.since else {})


def _target(number: int, query: Query, language: str) -> Json:
    alias = query.alias if isinstance(query.alias, str) else query.alias[language]
    return {
        "refId": chr(ord("A") + number),
        "datasource": DATASOURCE,
        "rawQuery": True,
        "resultFormat": "table" if query.table else "time_series",
        "query": query.text,
        "alias": alias,
    }


def _defaults(panel: Panel) -> Json:
    made: Json = {"unit": panel.unit, "min": 0}
    if panel.decimals is not None:
        made["decimals"] = panel.decimals
    if panel.most is not None:
        made["max"] = panel.most
    if panel.steps:
        steps = [{"value": value, "color": color} for value, color in panel.steps]
        first = [{"value": None, "color": "green"}]
        made["thresholds"] = {"mode": "absolute", "steps": first + steps}
        made["color"] = {"mode": "thresholds"}
    if panel.kind == "timeseries":
        made["custom"] = _drawn(panel)
    return made


def _drawn(panel: Panel) -> Json:
    return {
        "drawStyle": "bars" if panel.bars else "line",
        "lineInterpolation": "stepAfter",
        "fillOpacity": 60 if panel.bars else 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none"},
        "thresholdsStyle": {"mode": "line" if panel.steps else "off"},
    }


def _overrides(panel: Panel, language: str) -> list[Json]:
    made = [_override(name, "displayName", said[language]) for name, said in panel.names.items()]
    if panel.band:
        low, high = panel.band
        filled = _override(high, "custom.fillBelowTo", low)
        filled["properties"] += [
            {"id": "custom.lineWidth", "value": 0},
            {"id": "custom.fillOpacity", "value": 20},
        ]
        made += [filled, _override(low, "custom.lineWidth", 0)]
    return made


def _override(name: str, what: str, value: Any) -> Json:
    matcher = {"id": "byName", "options": name}
    return {"matcher": matcher, "properties": [{"id": what, "value": value}]}


def _options(panel: Panel) -> Json:
    if panel.kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi"},
        }
    if panel.kind == "table":
        return {"showHeader": True}
    last = {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}}
    if panel.kind == "bargauge":
        return last | {"orientation": "horizontal", "displayMode": "basic"}
    return last | {"textMode": "value_and_name", "colorMode": "value" if panel.steps else "none"}
