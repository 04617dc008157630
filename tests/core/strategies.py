"""Hypothesis strategies: messages by their annotations, and the policies of a small town.

`message_of` follows a dataclass's own annotations and bounds, so a new field or kind is
tried without a word here. The town (`contents`, `taps`, `moments`) is small on purpose: two
doors, three rooms and sixty milliseconds, so that rights, modes and closures meet.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import EnumMeta
from random import Random
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, Len
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tests.trying import examples

from kokubus import happenings as h
from kokubus.decision import Moment, State, Tap
from kokubus.downlinks import AccessDecided, Downlink
from kokubus.messages import Count, Fact, PolicyNumber, Range, Side, Stamp, Uplink
from kokubus.rights import (
    AntiPassback,
    BadgeRules,
    Content,
    DoorRules,
    Mode,
    ModeKind,
    Policy,
    Right,
    RightKind,
)

# Repeatable, and never judged by the clock: other work shares the machine.
trying = settings(
    max_examples=examples(40),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

DOORS = ("front", "back")
ROOMS = ("hall", "studio", "attic")
BADGES = ("b1", "b2", "b3")
MEMBERS = ("ada", "ben")
SCHEDULES = ("office", "nights")
END = 60

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def message_of(cls: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass that its annotations allow."""
    hints = get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{field.name: _of(hints[field.name]) for field in fields(cls)})


def _of(hint: Any, bounds: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if hint == Range:
        count = _of(Count)
        return st.tuples(count, count).map(lambda pair: (min(pair), max(pair)))
    if origin is Annotated:
        return _of(parts[0], parts[1:])
    if origin in (Union, UnionType):
        return st.one_of(*(_of(part) for part in parts))
    if origin is tuple:
        low, high = _length(bounds, 4)
        return st.lists(_of(parts[0]), min_size=low, max_size=min(high, 4)).map(tuple)
    if origin is Mapping:
        return st.dictionaries(_of(parts[0]), _of(parts[1]), max_size=3)
    return _plain(hint, bounds)


def _plain(hint: Any, bounds: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    low = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
    if hint is str:
        least, most = _length(bounds, 12)
        letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        return st.text(letters, min_size=least, max_size=max(least, min(most, 12)))
    if isinstance(hint, EnumMeta):
        return st.sampled_from(list(hint))
    if is_dataclass(hint):
        return message_of(hint)
    if hint is Any:
        return json_values
    return {
        int: st.integers(low, high),
        float: st.floats(low, high, allow_nan=False),
        bool: st.booleans(),
        type(None): st.none(),
    }[hint]


def _length(bounds: tuple[Any, ...], most: int) -> tuple[int, int]:
    length = next((bound for bound in bounds if isinstance(bound, Len)), Len(0, most))
    return length.min_length, most if length.max_length is None else length.max_length


facts = st.one_of(*(message_of(cls) for cls in get_args(Fact)))
uplinks = st.one_of(*(message_of(cls) for cls in get_args(Uplink)))
downlinks = st.one_of(*(message_of(cls) for cls in get_args(Downlink)))
stamps = message_of(Stamp)
devices = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)

# --- a small town ------------------------------------------------------------------------

instants = st.integers(0, END)
windows = st.tuples(instants, instants)
some_rooms = st.lists(st.sampled_from(ROOMS), min_size=1, max_size=2, unique=True).map(tuple)
numbers = st.builds(PolicyNumber, st.integers(0, 3), st.integers(0, 99))


def _few(inner: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=most).map(tuple)


modes = st.builds(Mode, kind=st.sampled_from(ModeKind), start=instants, end=st.none() | instants)
door_rules = st.builds(
    DoorRules,
    rooms=some_rooms,
    lead_ms=st.integers(0, 10),
    grace_ms=st.integers(0, 10),
    modes=st.just(()) | _few(modes),
    closures=st.just(()) | _few(windows),
    anti_passback=st.sampled_from(AntiPassback),
    reads_both_sides=st.booleans(),
    min_assurance=st.sampled_from([0, 0, 0, 2]),
    opens_without_clock=st.booleans(),
)
rarely = st.sampled_from([False, False, False, False, True])
badge_rules = st.builds(
    BadgeRules,
    member=st.sampled_from([*MEMBERS, *MEMBERS, None]),
    blocked=rarely,
    suspended=rarely,
    start=st.sampled_from([None, None, 5]),
    end=st.sampled_from([None, None, 50]),
    keyholder=st.just(()) | _few(st.sampled_from(DOORS), 1),
    override_lockdown=rarely,
)
rights = st.builds(
    Right,
    member=st.sampled_from(MEMBERS),
    rooms=some_rooms,
    kind=st.sampled_from(RightKind),
    windows=st.none() | _few(windows),
    schedule=st.sampled_from([None, None, *SCHEDULES]),
    exact=st.booleans(),
)
contents = st.builds(
    Content,
    doors=st.dictionaries(st.sampled_from(DOORS), door_rules, min_size=1),
    badges=st.dictionaries(st.sampled_from(BADGES), badge_rules, min_size=1),
    rights=st.dictionaries(st.sampled_from([f"r{n}" for n in range(6)]), rights),
    schedules=st.dictionaries(st.sampled_from(SCHEDULES), _few(windows, 3)),
)
policies = st.builds(Policy, contents, st.none() | numbers, st.sampled_from([None, None, 1_000]))


def questions(count: int, seed: int) -> list[tuple[State, Tap, Moment]]:
    """Some of all the questions one can ask in the town; cheaper to draw than by hypothesis."""
    pick = Random(seed)
    return [
        (
            State(inside=pick.choice([None, False, True]), free_places=pick.choice([None, 0, 3])),
            Tap(
                door=pick.choice([*DOORS * 3, "nowhere"]),
                badge=pick.choice([*BADGES * 2, "stranger"]),
                side=pick.choice([Side.IN, Side.IN, Side.OUT]),
                assurance=pick.choice([0, 2]),
            ),
            Moment(
                at=pick.randint(-10, END + 10),
                trusted=pick.random() < 0.8,
                policy_age_ms=pick.choice([0, 999, 1_000]),
            ),
        )
        for _ in range(count)
    ]


tap_ids = st.sampled_from([f"t{n}" for n in range(5)])
sightings = st.builds(
    h.BadgeSeen,
    door=st.sampled_from(DOORS),
    tap=tap_ids,
    lookup=st.sampled_from(BADGES),
    sealed=st.just("sealed"),
    side=st.sampled_from(Side),
)
answers = st.builds(
    AccessDecided,
    tap=tap_ids,
    granted=st.booleans(),
    reason=st.just("booked"),
    recorded=st.booleans(),
    epoch=st.just("e"),
    seq=st.just(1),
).map(h.Answered)
happenings = st.one_of(
    sightings,
    answers,
    st.builds(
        h.Commanded,
        door=st.sampled_from(DOORS),
        command=st.sampled_from(["c1", "c2"]),
        expires_at=instants,
        fresh=st.booleans(),
    ),
    st.builds(h.ContactOpened, st.sampled_from(DOORS)),
    st.builds(h.ContactClosed, st.sampled_from(DOORS)),
    st.builds(h.ExitPressed, st.sampled_from(DOORS)),
    st.builds(h.PolicyChanged, st.none() | policies),
    st.builds(h.Ticked),
)
nows = st.builds(
    h.Now,
    at=instants,
    mono=st.integers(0, 60_000),
    trusted=st.booleans(),
    linked=st.booleans(),
    policy_age_ms=st.sampled_from([0, 1_000]),
    noise=st.binary(min_size=10, max_size=10),
)
