"""Virtual time: what is to happen in a chip, and when."""

from __future__ import annotations

from collections.abc import Callable


class Timeline:
    """Microseconds that pass when told to and, given a `clock` in seconds, on the wall as well."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.now_us = 0.0
        self._clock = clock
        self._wall = clock() if clock else 0.0
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}

    def after(self, name: str, microseconds: float, happen: Callable[[], None]) -> None:
        """Plan an event; an earlier one of the same name is forgotten."""
        self._due[name] = (self.now_us + microseconds, happen)

    def forget(self, *names: str) -> None:
        """These events do not happen."""
        for name in names:
            self._due.pop(name, None)

    def forget_all(self) -> None:
        """Nothing planned happens."""
        self._due.clear()

    def go_on(self, microseconds: float) -> None:
        """Let time pass; what falls due happens in order, at its own instant."""
        until = self.now_us + max(microseconds, self._on_the_wall())
        while self._due:
            name = min(self._due, key=lambda key: self._due[key][0])
            if self._due[name][0] > until:
                break
            self.now_us, happen = self._due.pop(name)
            happen()
        self.now_us = until

    def _on_the_wall(self) -> float:
        if self._clock is None:
            return 0.0
        before, self._wall = self._wall, self._clock()
        return (self._wall - before) * 1e6
