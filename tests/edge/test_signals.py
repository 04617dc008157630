"""What light and buzzer say can be told apart in the dark, and is what the page says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from kokubus.happenings import Pattern
from kokubus_edge.signals import LIGHTS, MEANINGS, RESTING, SOUNDS, Step, page

PAGE = Path(__file__).parents[2] / "docs" / "lights-and-sounds.md"
DIFFERS = 1.5
"""Two durations nobody confuses: one is half as long again as the other."""


def test_the_page_says_what_the_door_does() -> None:
    assert PAGE.read_text("utf-8") == page(), (
        "python -c 'from kokubus_edge.signals import page; print(page(), end=\"\")' "
        "> docs/lights-and-sounds.md"
    )


def test_every_pattern_has_a_meaning_and_a_light() -> None:
    assert set(MEANINGS) == set(LIGHTS) == set(Pattern)


def rhythm(steps: Sequence[Step]) -> tuple[tuple[bool, float], ...]:
    """On and off by their durations, whatever the colour."""
    return tuple((any(lit), seconds) for seconds, lit in steps)


def alike(one: Sequence[Step], other: Sequence[Step]) -> bool:
    first, second = rhythm(one), rhythm(other)
    if len(first) != len(second):
        return False
    return all(
        on == also and max(a, b) / min(a, b) < DIFFERS
        for (on, a), (also, b) in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("said", [LIGHTS, SOUNDS])
def test_no_two_meanings_share_a_rhythm(said: Mapping[Pattern, Sequence[Step]]) -> None:
    patterns = list(said)
    for number, one in enumerate(patterns):
        for other in patterns[number + 1 :]:
            assert not alike(said[one], said[other]), (one, other)


def test_every_answer_to_a_person_can_be_heard() -> None:
    assert set(Pattern) - RESTING - {Pattern.WAITING} <= set(SOUNDS)


def test_nothing_is_louder_than_a_moment() -> None:
    for steps in SOUNDS.values():
        assert sum(seconds for seconds, _ in steps) <= 5
