"""What every test of the agent may rely on."""

from __future__ import annotations

import pytest

from kokubus_edge.simulate import site

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _people_have_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever taps at a simulated door waits for a busy machine."""
    monkeypatch.setattr(site, "SEEN_S", PATIENCE_S)
    monkeypatch.setattr(site, "SLACK_S", PATIENCE_S)
