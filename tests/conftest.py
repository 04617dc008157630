"""What every test may rely on."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings
from tests.trying import PROFILES

gc.disable()  # while modules are read, which make hundreds of thousands of objects and no litter

for _name, _examples in PROFILES.items():
    settings.register_profile(_name, deadline=None, max_examples=_examples)
settings.load_profile("full")
_PLAIN = [
    *structlog.get_config()["processors"][:-1],
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
]
_UNCACHED = {"cache_logger_on_first_use": False}


def pytest_collection_finish() -> None:
    """What was read stays: from now on the collector looks at what tests make, and no more."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _logs_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command configures logging for its process; here the next test is the same process.

    A logger that was cached would go on writing to the stream of the test before. Tracebacks are
    plain: where rich is installed, structlog would take it, half a second for each.
    """
    configure = structlog.configure
    configure(processors=_PLAIN)
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**(how | _UNCACHED)))
    yield
    structlog.reset_defaults()
