"""What every test may rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command configures logging for its process; here the next test is the same process."""
    yield
    structlog.reset_defaults()
