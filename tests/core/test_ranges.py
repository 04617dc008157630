"""Ranges against the set they stand for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.strategies import trying
from tests.trying import examples

from kokubus.ranges import Ranges

numbers = st.integers(1, 40)
pairs = st.tuples(numbers, st.integers(0, 3)).map(lambda pair: (pair[0], sum(pair)))
steps = st.lists(numbers | pairs, max_size=30)


def expanded(ranges: Ranges) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@settings(trying, max_examples=examples(100))
@given(steps)
def test_ranges_are_the_set_of_what_was_added(added: list[int | tuple[int, int]]) -> None:
    ranges, model = Ranges(), set[int]()
    for step in added:
        if isinstance(step, int):
            assert ranges.add(step) is (step not in model)
            model.add(step)
        else:
            ranges.add_range(*step)
            model |= set(range(step[0], step[1] + 1))
        assert expanded(ranges) == model
    assert ranges.count == len(model)
    assert all((number in ranges) is (number in model) for number in range(45))


@settings(trying, max_examples=examples(100))
@given(st.lists(pairs, max_size=20))
def test_ranges_are_sorted_disjoint_and_as_few_as_possible(added: list[tuple[int, int]]) -> None:
    ranges = Ranges(added)
    parts = list(ranges)
    assert all(first <= last for first, last in parts)
    assert all(later > last + 1 for (_, last), (later, _) in pairwise(parts))
    assert len(ranges) == len(parts)
    assert ranges == Ranges(reversed(parts))


@settings(trying, max_examples=examples(100))
@given(st.lists(pairs, max_size=20))
def test_gaps_are_what_is_missing_in_between(added: list[tuple[int, int]]) -> None:
    ranges = Ranges(added)
    gaps = {number for first, last in ranges.gaps() for number in range(first, last + 1)}
    there = expanded(ranges)
    between = set(range(min(there), max(there) + 1)) if there else set()
    assert gaps == between - there


@pytest.mark.parametrize("added", [[(1, 2), (3, 4)], [(3, 4), (1, 2)], [(1, 1), (3, 4), (2, 2)]])
def test_neighbours_become_one(added: list[tuple[int, int]]) -> None:
    assert list(Ranges(added)) == [(1, 4)]


def test_an_endless_run_stays_one_range() -> None:
    ranges = Ranges()
    for number in range(1, 5_000):
        assert ranges.add(number)
    assert list(ranges) == [(1, 4_999)]
    assert repr(ranges) == "Ranges([(1, 4999)])"


def test_a_range_that_runs_backwards_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"5\.\.3 runs backwards"):
        Ranges([(5, 3)])


def test_ranges_differ_from_other_things_and_have_no_hash() -> None:
    assert Ranges([(1, 2)]) != [(1, 2)]
    with pytest.raises(TypeError):
        hash(Ranges())
