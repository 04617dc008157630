"""SQLite databases whose statements are compiled once for all of a process.

A hub has one database for as long as it runs, and compiles each statement once. Tests have one
each: most of what a query took was compiling it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import Engine


def create_engine(url: str, **how: Any) -> Engine:
    """As SQLAlchemy's own."""
    made = sqlalchemy.create_engine(url, **how)
    if made.dialect.name == "sqlite":
        shared = _first(**how)
        made.dialect = made.pool._dialect = shared.dialect
        made._compiled_cache = shared._compiled_cache
    return made


@cache
def _first(**how: Callable[..., Any] | bool) -> Engine:
    """Engines made in the same way speak the same dialect, known from the first connection on."""
    made = sqlalchemy.create_engine("sqlite://", query_cache_size=2_000, **how)
    made.connect().close()
    return made
