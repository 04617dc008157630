"""One structured line for each unit of work, the same in every process."""

from __future__ import annotations

import logging
from typing import TextIO

import structlog


def configure(stream: TextIO) -> None:
    """Log to ``stream``, from ``info`` on.

    Tracebacks go without the values of variables: those hold credentials.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
