"""The filter on open data with counted people: causal, without labels, defaults untouched."""

from __future__ import annotations

import pytest
from benchmarks._open_data import count_scores, presence_score


@pytest.mark.slow
def test_counts_from_motion_and_breath() -> None:
    """Reached: accuracy 0.921, mean absolute error 0.088, coverage 0.989 of the 90 % interval."""
    scores = count_scores()
    assert scores["uci864_accuracy"] >= 0.91
    assert scores["uci864_mae"] <= 0.10
    assert 0.88 <= scores["uci864_coverage"] <= 0.995


def test_presence_from_breath_alone() -> None:
    """Reached: 0.940."""
    assert presence_score() >= 0.93
