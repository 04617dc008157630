"""UUID version 7: the layout of RFC 9562 section 5.7, and its order in time."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import trying

from kokubus.happenings import Now
from kokubus.ids import uuid7

noises = st.binary(min_size=10, max_size=10)
moments = st.integers(0, 2**48 - 1)


def test_the_example_of_rfc_9562_appendix_a_6() -> None:
    random = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@trying
@given(moments, noises)
def test_the_layout(at: int, noise: bytes) -> None:
    made = UUID(uuid7(at, noise))
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == at
    random = int.from_bytes(noise, "big")
    assert made.int >> 64 & 0xFFF == random >> 64 & 0xFFF
    assert made.int & (2**62 - 1) == random & (2**62 - 1)


@trying
@given(moments, moments, noises, noises)
def test_later_sorts_after_earlier(one: int, other: int, noise: bytes, more: bytes) -> None:
    early, late = sorted((one, other))
    if early < late:
        assert uuid7(early, noise) < uuid7(late, more)


@trying
@given(moments, noises)
def test_the_facts_of_one_instant_have_ids_of_their_own(at: int, noise: bytes) -> None:
    now = Now(at=at, mono=0, noise=noise)
    ids = {now.fact_id(door, number) for door in ("a", "b", "1 a") for number in range(12)}
    assert len(ids) == 36
    assert {UUID(made).int >> 80 for made in ids} == {at}
    assert now.fact_id("a", 1) != Now(at=at, mono=0, noise=noise[::-1] + b"x").fact_id("a", 1)
