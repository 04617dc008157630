"""What every test may rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("kokubus", deadline=None)  # how long a machine takes proves nothing
settings.load_profile("kokubus")
_UNCACHED = {"cache_logger_on_first_use": False}


@pytest.fixture(autouse=True)
def _logs_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command configures logging for its process; here the next test is the same process.

    A logger that was cached would go on writing to the stream of the test before.
    """
    configure = structlog.configure
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**(how | _UNCACHED)))
    yield
    structlog.reset_defaults()
