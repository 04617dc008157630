"""What the projection writes to in tests, and estimates to project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.hub.policy_world import NOW, World

from kokubus_hub import models
from kokubus_hub.metrics.influx import CANARY, Keep, RefusedError

ESTIMATE = {"room_id": 1, "median": 3, "mean": 3.2, "variance": 1.5, "low": 1, "high": 6}
ESTIMATE |= {"presence": 0.9, "capacity": 8, "drift": False, "weights": {}}


def estimate(hub: World, at: int = NOW, **values: Any) -> int:
    return hub.add(models.Estimate, **(ESTIMATE | {"at": at} | values))


@dataclass
class Sink:
    """Keeps points as InfluxDB does: the same series and time overwrite."""

    lines: list[str] = field(default_factory=list)
    condensed: list[str] = field(default_factory=list)
    away: bool = False
    refuses: str = " "
    written: int = 0

    def __call__(self, keep: Keep, lines: Sequence[str]) -> None:
        self.written += 1
        if self.away:
            raise ConnectionError("nobody answers")
        if any(self.refuses.strip() and self.refuses in line for line in lines):
            raise RefusedError("422: field type conflict")
        if lines != [CANARY]:
            (self.lines if keep is Keep.SHORT else self.condensed).extend(lines)

    @property
    def points(self) -> set[tuple[str, str]]:
        return {(line.split(" ")[0], line.rsplit(" ", 1)[1]) for line in self.lines}
