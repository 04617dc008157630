"""Whatever is said again, later, in pieces or out of order: the same is recorded and believed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.strategies import trying
from tests.hub.intake_stories import (
    Teller,
    begin_again,
    believed,
    doors,
    number_of,
    numbers_in,
    recorded,
    stories,
)
from tests.hub.intake_world import OTHER_UID, World, world
from tests.trying import examples

from kokubus_hub.sorting import Letter

Story = list[tuple[str, int]]
few = settings(trying, max_examples=examples(25))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For many examples; each begins again."""
    with world(tmp_path_factory.mktemp("hub")) as made:
        made.book(made.member())
        made.entitle(made.member(OTHER_UID))
        yield made


def tell(hub: World, letters: list[Letter], size: int) -> None:
    for start in range(0, len(letters), size):
        hub.take(*letters[start : start + size])


def agree(hub: World, rows: object, stand: object, beliefs: object) -> None:
    assert recorded(hub) == rows
    assert doors(hub) == stand
    again = believed(hub)
    assert isinstance(beliefs, dict)
    assert again.keys() == beliefs.keys()
    for room, belief in beliefs.items():
        assert again[room].posterior == pytest.approx(belief.posterior, abs=1e-9)
        assert (again[room].at, again[room].events) == (belief.at, belief.events)


@few
@given(stories, st.randoms(use_true_random=False), st.integers(1, 7))
def test_a_batch_that_comes_again_changes_nothing(
    hub: World, story: Story, noise: Random, size: int
) -> None:
    begin_again(hub)
    letters = Teller(hub).tell(story)
    tell(hub, letters, len(letters) or 1)
    before = recorded(hub), doors(hub), believed(hub)
    again = noise.choices(letters, k=2 * len(letters)) if letters else []
    tell(hub, again, size)
    agree(hub, *before)


@pytest.mark.slow
@few
@given(stories, st.randoms(use_true_random=False), st.integers(1, 7))
def test_pieces_repeats_and_disorder_come_to_the_same(
    hub: World, story: Story, noise: Random, size: int
) -> None:
    begin_again(hub)
    letters = Teller(hub).tell([("entry", 0), ("inner", 1), *story])
    tell(hub, letters, 1)
    before = recorded(hub), doors(hub), believed(hub)
    begin_again(hub)
    shuffled = letters + noise.choices(letters, k=len(letters))
    noise.shuffle(shuffled)
    tell(hub, shuffled, size)
    agree(hub, *before)


@pytest.mark.slow
@few
@given(stories, st.integers(1, 7))
def test_every_number_is_receipted_each_time_it_comes(hub: World, story: Story, size: int) -> None:
    begin_again(hub)
    letters = Teller(hub).tell(story)
    numbers = {number_of(letter) for letter in letters}
    for _ in range(2):
        told: set[tuple[str, int]] = set()
        for start in range(0, len(letters), size):
            told |= numbers_in(hub, hub.take(*letters[start : start + size]))
        assert told == numbers
