"""A pair of light beams: who went which way, who turned back, and what stands in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokubus.beam import BLOCKED_MS, Beam, Crossing, beam_changed, is_blocked
from kokubus.messages import Side

IN, OUT = Side.IN, Side.OUT
IN_STEPS, OUT_STEPS = "OIoi", "IOio"
"""Capital: broken, small: whole again; o is the outer beam, i the inner one."""


def walked(steps: str, gap: int = 80) -> list[Side]:
    crossing, ways = Crossing(), []
    for number, step in enumerate(steps):
        beam = Beam.OUTER if step in "Oo" else Beam.INNER
        crossing, way = beam_changed(crossing, beam, number * gap, broken=step.isupper())
        ways += [] if way is None else [way]
    return ways


@pytest.mark.parametrize(
    ("steps", "ways"),
    [
        (IN_STEPS, [IN]),
        (OUT_STEPS, [OUT]),
        (IN_STEPS * 2, [IN, IN]),
        (IN_STEPS + OUT_STEPS, [IN, OUT]),
        ("Oo", []),
        ("Ii", []),
        ("OIio", []),
        ("IOoi", []),
        ("OIoOio", []),
        ("OIoOioOIoi", [IN]),
        ("OIoOoi", [IN]),
        ("OIiIoi", [IN]),
        ("OoOIoi", [IN]),
    ],
    ids=[
        "in",
        "out",
        "two people, one after the other",
        "one in, then one out",
        "a hand at the outer beam",
        "a hand at the inner beam",
        "turned back in the middle, from outside",
        "turned back in the middle, from inside",
        "almost through, then back out",
        "turned back, thought again, went in",
        "stopped and stepped on the spot",
        "hesitated at the threshold",
        "a hand first, then in",
    ],
)
def test_who_went_which_way(steps: str, ways: list[Side]) -> None:
    assert walked(steps) == ways


def test_what_stands_in_a_beam_is_nobody_and_is_noticed() -> None:
    crossing, _ = beam_changed(Crossing(), Beam.OUTER, 0, broken=True)
    crossing, _ = beam_changed(crossing, Beam.INNER, 1_000, broken=True)
    assert not is_blocked(crossing, BLOCKED_MS - 1)
    assert is_blocked(crossing, BLOCKED_MS)
    crossing, _ = beam_changed(crossing, Beam.OUTER, BLOCKED_MS, broken=False)
    crossing, way = beam_changed(crossing, Beam.INNER, BLOCKED_MS + 1, broken=False)
    assert (way, crossing) == (None, Crossing())
    assert not is_blocked(crossing, 10 * BLOCKED_MS)


@given(st.lists(st.sampled_from(["OIoi", "IOio", "OIio", "IOoi", "Oo", "Ii"]), max_size=20))
def test_whoever_is_through_is_counted_once_and_nobody_else(people: list[str]) -> None:
    ways = [{"OIoi": IN, "IOio": OUT}[one] for one in people if one in {"OIoi", "IOio"}]
    assert walked("".join(people)) == ways


@given(st.lists(st.sampled_from("OoIi"), max_size=60))
def test_any_sequence_is_survived_and_ends_with_both_beams_whole(steps: list[str]) -> None:
    walked("".join(steps) + "oi")
    assert walked("".join(steps) + "oi" + IN_STEPS)[-1:] == [IN]
