"""``python -m benchmarks.figures``: the drawings of docs/occupancy.md, from the benchmark's data.

Plain SVG that reads on light and dark grounds; nothing is drawn that was not computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks._open_data import ROOM_357, ROOM_864, follow, uci357, uci864
from benchmarks.occupancy import QUICK_DAYS, Days, counters, simulated, simulated_scores
from kokubus.occupancy import Estimate, Sensor

OUT = Path(__file__).parent.parent / "docs" / "occupancy"
W, H, LEFT, TOP, RIGHT, BOTTOM = 720, 300, 56, 34, 18, 44
GREEN, PALE, INK, RED, BLUE = "#2f8f68", "#9fcdb8", "#7a827d", "#c4553d", "#4a78b5"
Pairs = Sequence[tuple[Estimate, int]]


def main() -> None:
    """Draw all three."""
    OUT.mkdir(exist_ok=True)
    open_data = list(follow(ROOM_864, uci864()))
    office = list(follow(ROOM_357, uci357()))
    days = simulated(QUICK_DAYS)
    made = {
        "reliability": _reliability(open_data, office, _pairs(days)),
        "uci864-day": _day("UCI 864, 22 December 2017 from 10:49: PIR and CO2", open_data[:1300]),
        "simulated-day": _day(
            "A simulated Tuesday, 16 places: badges, PIR and CO2", _lived(days[2], 1)
        ),
        "others": _others(QUICK_DAYS),
    }
    for name, svg in made.items():
        (OUT / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(OUT / f"{name}.svg")


def _pairs(days: Iterable[Days]) -> Pairs:
    return [pair for one in days for pair in zip(one.said, one.truth, strict=True)]


def _lived(one: Days, day: int) -> Pairs:
    first = day * 1440 + 6 * 60
    return list(zip(one.said, one.truth, strict=True))[first : first + 16 * 60]


def _reliability(*sets: Pairs) -> str:
    """How often somebody was there, by how surely it was said: on the diagonal is right."""
    side = H - TOP - BOTTOM
    x, y = (lambda p: LEFT + p * side), (lambda p: TOP + (1 - p) * side)
    parts = [_text(LEFT, 20, "Said and true: P(somebody is there)", "start", 600)]
    parts += [_line(x(0), y(0), x(1), y(1), INK, dash=True)]
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts += [_line(x(0), y(value), x(1), y(value), INK, 0.2)]
        parts += [_text(LEFT - 8, y(value) + 4, f"{value:g}", "end")]
        parts += [_text(x(value), y(0) + 18, f"{value:g}")]
    names = ("UCI 864 (PIR + CO2)", "UCI 357 (CO2)", "simulated (badge + PIR + CO2)")
    for place, (name, colour, pairs) in enumerate(
        zip(names, (GREEN, BLUE, RED), sets, strict=True)
    ):
        points = _binned(pairs)
        parts.append(_path([(x(said), y(true)) for said, true, _ in points], colour))
        most = max(count for _, _, count in points)
        for said, true, count in points:
            radius = 2.5 + 6 * (count / most) ** 0.5
            parts.append(
                f'<circle cx="{x(said):.1f}" cy="{y(true):.1f}" r="{radius:.1f}" fill="{colour}" '
                'fill-opacity=".75"/>'
            )
        parts += [_legend(LEFT + side + 40, TOP + 20 + 24 * place, name, colour)]
    parts += [_text(x(0.5), H - 6, "said"), _text(LEFT + side + 40, H - 30, _NOTE, "start")]
    return _svg(parts)


_NOTE = "circle: number of samples; true: share with somebody there"


def _binned(pairs: Pairs) -> list[tuple[float, float, int]]:
    """(mean said, share true, count) in ten bins; bins of fewer than thirty are left out."""
    bins: list[list[tuple[float, int]]] = [[] for _ in range(10)]
    for said, people in pairs:
        bins[min(9, int(said.presence * 10))].append((said.presence, people > 0))
    return [
        (sum(p for p, _ in one) / len(one), sum(t for _, t in one) / len(one), len(one))
        for one in bins
        if len(one) >= 30
    ]


def _day(title: str, pairs: Pairs) -> str:
    most = max(max(said.high, people) for said, people in pairs) + 0.5
    width, height = W - LEFT - RIGHT, H - TOP - BOTTOM
    step = width / len(pairs)
    y = lambda n: TOP + height * (1 - n / most)  # noqa: E731 - one expression, used here alone
    x = lambda i: LEFT + i * step  # noqa: E731 - same
    upper = [(x(i), y(said.high)) for i, (said, _) in enumerate(pairs)]
    lower = [(x(i), y(said.low)) for i, (said, _) in enumerate(pairs)]
    parts = [_text(LEFT, 20, title, "start", 600), _area([*upper, *reversed(lower)], PALE)]
    for n in range(0, int(most) + 1, max(1, int(most) // 5)):
        parts += [_line(LEFT, y(n), W - RIGHT, y(n), INK, 0.2)]
        parts += [_text(LEFT - 8, y(n) + 4, str(n), "end")]
    parts.append(_path([(x(i), y(said.median)) for i, (said, _) in enumerate(pairs)], GREEN))
    parts.append(_path([(x(i), y(n)) for i, (_, n) in enumerate(pairs)], RED))
    for place, (name, colour) in enumerate(
        (("counted by eye", RED), ("median", GREEN), ("90 % interval", PALE))
    ):
        parts.append(_legend(LEFT + 170 * place, H - 14, name, colour))
    return _svg(parts)


def _others(days: int) -> str:
    """Mean absolute error in people, beside counters of the same events."""
    ours, beam = simulated_scores(days), simulated_scores(days, _with_beam())
    bars = [
        ("filter: badge, PIR, CO2", ours["mae"], GREEN),
        ("filter, and a beam", beam["mae"], GREEN),
        ("beam counter, zeroed nightly", counters(days, Sensor.BEAM, nightly=True), BLUE),
        ("badge counter, zeroed nightly", counters(days, Sensor.BADGE, nightly=True), BLUE),
        ("beam counter", counters(days, Sensor.BEAM, nightly=False), RED),
        ("badge counter", counters(days, Sensor.BADGE, nightly=False), RED),
    ]
    most, left = max(value for _, value, _ in bars), 220
    parts = [_text(LEFT, 20, "Mean absolute error, people (simulated days)", "start", 600)]
    for place, (name, value, colour) in enumerate(bars):
        at = TOP + 14 + place * 38
        wide = (W - left - 70) * value / most
        parts.append(_text(left - 10, at + 16, name, "end"))
        parts.append(
            f'<rect x="{left}" y="{at}" width="{max(wide, 1):.1f}" height="22" rx="3" '
            f'fill="{colour}"/>'
        )
        parts.append(_text(left + wide + 8, at + 16, f"{value:.2f}", "start"))
    return _svg(parts)


def _with_beam() -> frozenset[Sensor]:
    return frozenset({Sensor.BADGE, Sensor.PIR, Sensor.CO2, Sensor.BEAM})


def _svg(parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{text}</text>'
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, opacity: float = 1, *,
    dash: bool = False,
) -> str:  # fmt: skip
    dashes = ' stroke-dasharray="4 4"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-opacity="{opacity}"{dashes}/>'
    )


def _path(points: Iterable[tuple[float, float]], colour: str) -> str:
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in _thinned(points))
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.8"/>'


def _area(points: Iterable[tuple[float, float]], colour: str) -> str:
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in _thinned(points)) + "Z"
    return f'<path d="{d}" fill="{colour}" fill-opacity=".55"/>'


def _thinned(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the points between two of the same height: a day is mostly level."""
    kept: list[tuple[float, float]] = []
    for x, y in points:
        if len(kept) > 1 and kept[-1][1] == y == kept[-2][1]:
            kept[-1] = (x, y)
        else:
            kept.append((x, y))
    return kept


def _legend(x: float, y: float, name: str, colour: str) -> str:
    return f'<rect x="{x}" y="{y - 10}" width="14" height="10" fill="{colour}"/>' + _text(
        x + 20, y, name, "start"
    )


if __name__ == "__main__":
    main()
