"""Whether another process has written to the database since one last asked."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from sqlalchemy import Engine


class Pulse:
    """SQLite tells for the price of reading one page (``PRAGMA data_version``).

    PostgreSQL does not, so there the answer always is yes. The connection stays outside any
    transaction: within one, the answer would not change.
    """

    def __init__(self, engine: Engine) -> None:
        self._raw: Any = engine.raw_connection() if engine.dialect.name == "sqlite" else None
        self._version: int | None = None

    def moved(self) -> bool:
        """Whether something was written; True the first time."""
        if self._raw is None:
            return True
        cursor = self._raw.cursor()
        (version,) = cursor.execute("PRAGMA data_version").fetchone()
        cursor.close()
        moved = bool(version != self._version)
        self._version = version
        return moved

    def __enter__(self) -> Pulse:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._raw is not None:
            self._raw.close()
