"""`scripts/bench` prints one JSON line a metric, whatever the parts under load log."""

from __future__ import annotations

import json

import pytest
import structlog
from benchmarks import __main__ as bench
from benchmarks import reader
from benchmarks.rig import Metric, metric


def talking(_quick: bool) -> list[Metric]:
    """A benchmark of parts that log as doors and hubs do."""
    structlog.get_logger().info("policy_in_force", epoch=1)
    structlog.get_logger().error("link_failed")
    return [metric("reader", "met", 1, "", 2), metric("reader", "missed", 3, "", 2)]


def test_stdout_is_json_and_a_missed_bar_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reader, "run", talking)
    assert bench.main(["reader"]) == 1
    printed = capsys.readouterr()
    told = [json.loads(line) for line in printed.out.splitlines()]
    assert [(one["metric"], one["ok"]) for one in told] == [("met", True), ("missed", False)]
    assert "link_failed" in printed.err
    assert "policy_in_force" not in printed.err
