"""Several parts that share one alarm: it names those that do not work, and ends with the last."""

from __future__ import annotations

from kokubus_edge.health import Health


class Troubles:
    """How each part was when it last said so; ``key`` is what shares an alarm, e.g. a door."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, Health]] = {}

    def report(self, key: str, part: str, health: Health) -> list[Health]:
        """What to say of the alarm now: nothing, its end, its beginning, or one after the other.

        The hub keeps an alarm as it was raised, so one that names other parts is raised anew. A
        part's first word that all is well is said too: it may not have been before a restart.
        """
        parts = self._parts.setdefault(key, {})
        before, known = _problems(parts), part in parts
        parts[part] = health
        after = _problems(parts)
        if before == after:
            return [] if known or after else [Health(ok=True)]
        ended = [Health(ok=True)] if before else []
        return [*ended, Health(ok=False, problem=after)] if after else ended

    def works(self, key: str) -> bool:
        """Whether any part works."""
        return any(health.ok for health in self._parts.get(key, {}).values())


def _problems(parts: dict[str, Health]) -> str:
    said = (f"{name}: {health.problem}" for name, health in parts.items() if not health.ok)
    return "; ".join(said)[:300]
