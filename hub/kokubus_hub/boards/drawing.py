"""A dashboard's layout as SVG, and the page of documentation that shows them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from kokubus_hub.boards.panels import WIDTH, Json

UNIT, GAP = 40, 6
_KINDS = {
    "timeseries": "M0 18 L14 9 L28 14 L42 3 L56 11 L70 6",
    "bargauge": "M0 3 H60 M0 10 H38 M0 17 H50",
    "stat": "M2 18 V8 M16 18 V2 M30 18 V11",
    "table": "M0 3 H70 M0 10 H70 M0 17 H70 M22 0 V20 M46 0 V20",
}
_STYLE = (
    "svg{background:#f5f3ee}"
    "rect{fill:#fffefb;stroke:#dfdbd0}"
    "text{font:600 13px system-ui,sans-serif;fill:#18221d}"
    ".soft{font-weight:400;font-size:11px;fill:#55625b}"
    "path{fill:none;stroke:#1f6a4d;stroke-width:2}"
)


def layout(board: Json) -> str:
    """Each panel where Grafana will show it, with its title, description and kind."""
    panels = board["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    size = f'viewBox="0 0 {WIDTH * UNIT + GAP} {height * UNIT // 2 + GAP}"'
    drawn = "\n".join(_panel(panel) for panel in panels)
    title = escape(board["title"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">\n'
        f"<style>{_STYLE}</style>\n{drawn}\n</svg>\n"
    )


def _panel(panel: Json) -> str:
    grid = panel["gridPos"]
    x, y = grid["x"] * UNIT + GAP, grid["y"] * UNIT // 2 + GAP
    width, height = grid["w"] * UNIT - GAP, grid["h"] * UNIT // 2 - GAP
    foot = y + height - 14
    return "\n".join(
        (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>',
            f'<text x="{x + 12}" y="{y + 24}">{escape(panel["title"])}</text>',
            *_lines(panel["description"], x + 12, y + 44, width - 24, height),
            f'<path transform="translate({x + 12} {foot - 16})" d="{_KINDS[panel["type"]]}"/>',
            f'<text class="soft" x="{x + 92}" y="{foot}">{panel["type"]}, {_unit(panel)}</text>',
        )
    )


def _lines(text: str, x: int, y: int, width: int, height: int) -> Iterable[str]:
    room = max(1, (height - 80) // 15)
    for place, line in enumerate(wrap(text, width // 6)[:room]):
        yield f'<text class="soft" x="{x}" y="{y + 15 * place}">{escape(line)}</text>'


def page(boards: Sequence[Json]) -> str:
    """``docs/dashboards.md``."""
    parts = [
        "# Dashboards",
        "Five dashboards, in German (`dashboards/de`) and English (`dashboards/en`), made from one"
        " source by `kokubus hub dashboards make` (this page too). They speak InfluxQL, which"
        " InfluxDB 1, 2 and 3 serve, and every query is asked of a real InfluxDB in the tests. The"
        " drawings show their layouts; Grafana itself draws the curves.",
        "Grafana reads the folder by itself where it is provisioned (docker-compose does it)."
        " Into another one they are put, with data source, folders and alerts, by"
        " `kokubus hub dashboards push`.",
    ]
    for board in boards:
        parts += [f"## {board['title']}", board["description"]]
        parts += [f"![The layout of {board['title']}](dashboards/{board['uid']}.svg)"]
        parts += ["\n".join(["| panel | what | unit |", "|---|---|---|", *_rows(board)])]
    return "\n\n".join(parts) + "\n"


def _rows(board: Json) -> list[str]:
    return [
        f"| {panel['title']} | {panel['description']} | {_unit(panel)} |"
        for panel in board["panels"]
    ]


def _unit(panel: Json) -> str:
    return str(panel["fieldConfig"]["defaults"]["unit"])
