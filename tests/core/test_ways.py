"""Doors on the way to a room: several ways, inner doors, and none that leads back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from kokubus.site.ways import Edge, rooms_behind

rooms = st.integers(1, 5)
edges = st.tuples(st.none() | rooms, rooms).filter(lambda edge: edge[0] != edge[1])
houses = st.lists(edges, min_size=1, max_size=9)


def test_several_ways_into_a_room() -> None:
    front, office, side = (None, "hall"), ("hall", "office"), (None, "office")
    doors: list[Edge[str]] = [front, office, side]
    assert rooms_behind(front, doors) == ("hall", "office")
    assert rooms_behind(side, doors) == ("office",)


def test_an_inner_door_is_on_the_way_through_either_entrance() -> None:
    doors: list[Edge[str]] = [
        (None, "hall"),
        (None, "cellar"),
        ("hall", "stairs"),
        ("cellar", "stairs"),
        ("stairs", "attic"),
    ]
    for entrance in doors[:4]:
        assert "attic" in rooms_behind(entrance, doors)
    assert rooms_behind(doors[4], doors) == ("attic",)


def test_nobody_goes_through_an_office_to_get_back_to_the_hall() -> None:
    """Two doors between the same rooms, one for each direction."""
    doors: list[Edge[str]] = [(None, "hall"), ("hall", "office"), ("office", "hall")]
    assert rooms_behind(doors[1], doors) == ("office",)
    assert rooms_behind(doors[2], doors) == ("hall",)


def test_a_room_without_an_entrance_is_reached_somehow() -> None:
    assert rooms_behind(("attic", "roof"), [("attic", "roof"), ("roof", "attic")]) == ("roof",)


@given(houses, st.data())
def test_a_door_leads_to_the_rooms_of_all_walks_through_it(
    doors: list[Edge[int]], data: st.DataObject
) -> None:
    door = data.draw(st.sampled_from(doors))
    walks = [walk for walk in _walks((), None, doors) if door in walk]
    slow = {room for walk in walks for _, room in walk[walk.index(door) :]}
    if walks:
        assert set(rooms_behind(door, doors)) == slow


def _walks(
    walk: tuple[Edge[int], ...], here: int | None, doors: Sequence[Edge[int]]
) -> Iterator[tuple[Edge[int], ...]]:
    """Every walk from outside that visits no room twice."""
    yield walk
    visited = {into for _, into in walk}
    for door in doors:
        if door[0] == here and door[1] not in visited:
            yield from _walks((*walk, door), door[1], doors)
