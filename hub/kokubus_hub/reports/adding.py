"""Put released blocks together. Only what was released goes in, so nothing new comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from kokubus_hub.reports.catalogue import FIGURES, Figure, How

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """A figure's value, or its range, or its parts; all None where it may not be told."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    parts: Mapping[str, int | None] | None = None


def together(blocks: Sequence[Figures]) -> dict[str, Value]:
    """Every figure over these blocks, by key."""
    return {figure.key: _HOW[figure.how](figure, blocks) for figure in FIGURES}


def _told(blocks: Iterable[Figures], key: str) -> list[float]:
    return [block[key] for block in blocks if block.get(key) is not None]


def _sum(figure: Figure, blocks: Sequence[Figures]) -> Value:
    told = _told(blocks, figure.key)
    if not told:
        return Value()
    ranges = [block[figure.interval] for block in blocks if block.get(figure.interval)]
    if not ranges:
        return Value(sum(told))
    total = sum(told)
    low = sum((block[figure.key] - block[figure.interval][0]) ** 2 for block in blocks) ** 0.5
    high = sum((block[figure.interval][1] - block[figure.key]) ** 2 for block in blocks) ** 0.5
    return Value(total, round(total - low), round(total + high))


def _range(figure: Figure, blocks: Sequence[Figures]) -> Value:
    told = _told(blocks, figure.key)
    if len(told) < 2:
        return Value(told[0] if told else None)
    return Value(None, max(told), sum(told))


def _largest(figure: Figure, blocks: Sequence[Figures]) -> Value:
    return Value(max(_told(blocks, figure.key), default=None))


def _middle(figure: Figure, blocks: Sequence[Figures]) -> Value:
    told = _told(blocks, figure.key)
    return Value(median(told)) if told else Value()


def _share(figure: Figure, blocks: Sequence[Figures]) -> Value:
    part, whole = (sum(_told(blocks, key)) for key in figure.of)
    return Value(round(100 * part / whole)) if whole else Value()


def _parts(figure: Figure, blocks: Sequence[Figures]) -> Value:
    names = sorted({name for block in blocks for name in block.get(figure.key) or {}})
    found: dict[str, int | None] = {}
    for name in names:
        told = _told([block.get(figure.key) or {} for block in blocks], name)
        found[name] = round(sum(told)) if told else None
    return Value(parts=found)


_HOW = {
    How.SUM: _sum,
    How.RANGE: _range,
    How.LARGEST: _largest,
    How.MIDDLE: _middle,
    How.SHARE: _share,
    How.PARTS: _parts,
}
