"""Policies as documents: written, hashed, compared and patched alike at both ends."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.strategies import trying

from kokubus import wire
from kokubus.errors import PolicyError, WireError
from kokubus.policy import content_of, diff, document_of, fingerprint, patch
from kokubus.rights import BadgeRules, Content, DoorRules, Policy, Right, RightKind, unbounded

documents = some.contents.map(document_of)
loose_documents = st.dictionaries(
    st.sampled_from(["doors", "badges", "rights", "schedules"]),
    st.dictionaries(some.texts, some.json_values, max_size=4),
)


def over_the_wire(document: Any) -> Any:
    return json.loads(json.dumps(document))


@trying
@given(some.contents)
def test_content_comes_back_from_its_document(content: Content) -> None:
    document = over_the_wire(document_of(content))
    assert content_of(document) == content
    assert document_of(content_of(document)) == document


def test_an_empty_window_list_is_not_the_same_as_none() -> None:
    never = Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED, windows=())
    always = Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED)
    content = Content(rights={"never": never, "always": always})
    read = content_of(over_the_wire(document_of(content))).rights
    assert (unbounded(read["never"]), unbounded(read["always"])) == (False, True)


def test_a_document_leaves_defaults_out() -> None:
    content = Content(doors={"front": DoorRules(rooms=("hall",))}, badges={"b": BadgeRules()})
    assert document_of(content) == {
        "doors": {"front": {"rooms": ["hall"]}},
        "badges": {"b": {}},
        "rights": {},
        "schedules": {},
    }


@trying
@given(documents, documents)
def test_a_difference_turns_the_old_into_the_new(old: Any, new: Any) -> None:
    before = over_the_wire(old)
    put, drop = over_the_wire(diff(old, new))
    patched = patch(old, put, drop)
    assert patched == new
    assert fingerprint(patched) == fingerprint(new)
    assert diff(new, over_the_wire(patched)) == ({}, {})
    patched["doors"]["added"] = {}
    assert old == before, "what was handed in has changed"


@trying
@given(loose_documents, loose_documents)
def test_a_difference_carries_over_even_where_sections_come_and_go(old: Any, new: Any) -> None:
    assert fingerprint(patch(old, *diff(old, new))) == fingerprint(new)


@trying
@given(documents, st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_the_order_of_insertion(
    document: Any, random: Random
) -> None:
    sections = list(document)
    random.shuffle(sections)
    shuffled = {name: dict(reversed(document[name].items())) for name in sections}
    assert fingerprint(shuffled) == fingerprint(document)
    assert len(fingerprint(document)) == 64


@trying
@given(documents, documents)
def test_different_documents_have_different_fingerprints(one: Any, other: Any) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)


def test_a_delta_that_drops_what_is_not_there_drops_nothing() -> None:
    assert patch({"rights": {"a": {}}}, {}, {"rights": ("b",), "moods": ("c",)}) == {
        "rights": {"a": {}}
    }


# --- what cannot be read -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"doors": {"front": {}}}, "doors.*front.*rooms"),
        ({"doors": {"front": {"rooms": "hall"}}}, "rooms"),
        ({"doors": {"front": {"rooms": ["hall"], "lead_ms": "900"}}}, "lead_ms"),
        ({"doors": {"front": {"rooms": ["hall"], "anti_passback": "maybe"}}}, "anti_passback"),
        ({"doors": {"front": {"rooms": ["hall"], "modes": [{"kind": "lockdown"}]}}}, "start"),
        ({"doors": None}, "doors"),
        ({"badges": {"b": {"blocked": "no"}}}, "blocked"),
        ({"badges": {"b": {"blocked": 0}}}, "blocked"),
        ({"badges": {"b": {"keyholder": "front"}}}, "keyholder"),
        ({"badges": {"b": None}}, "badges"),
        ({"rights": {"r": {"member": "ada"}}}, "rooms"),
        ({"rights": {"r": {"member": "ada", "rooms": [], "windows": [[1]]}}}, "windows"),
        ({"rights": {"r": {"member": "ada", "rooms": [], "windows": [[1, 2, 3]]}}}, "windows"),
        ({"rights": {"r": {"member": "ada", "rooms": [], "windows": [[1, "2"]]}}}, "windows"),
        ({"schedules": {"office": [[1.5, 2]]}}, "office"),
        ({"schedules": {"office": 5}}, "office"),
        ({"rights": []}, "rights"),
    ],
)
def test_what_cannot_be_read_is_refused_whole_and_by_name(document: Any, told: str) -> None:
    with pytest.raises(PolicyError, match=f"(?s){told}"):
        content_of(document)


@trying
@given(loose_documents)
def test_any_document_reads_or_is_refused(document: Any) -> None:
    try:
        content = content_of(document)
    except PolicyError:
        return
    Policy(content)


def test_reading_a_value_says_where_it_stood() -> None:
    with pytest.raises(WireError, match=r"^settings of dorf: blocked: "):
        wire.load(BadgeRules, {"blocked": "x"}, "settings of dorf")


# --- ten thousand rights -----------------------------------------------------------------


def test_ten_thousand_rights_fit_a_policy() -> None:
    start = 1_790_000_000_000
    content = Content(
        doors={f"dorf-{n}": DoorRules(rooms=(f"dorf-room-{n}",)) for n in range(8)},
        badges={f"{n:022d}": BadgeRules(member=f"m-{n:06d}") for n in range(1_000)},
        rights={
            f"b{n:07d}": Right(
                member=f"m-{n % 1_000:06d}",
                rooms=(f"dorf-room-{n % 8}",),
                windows=((start + n * 1_000, start + n * 1_000 + 3_600_000),),
            )
            for n in range(10_000)
        },
    )
    encoded = wire.canonical(document_of(content))
    assert len(encoded) <= 1_500_000
    assert content_of(json.loads(encoded)) == content
