"""One-time codes by RFC 4226, and how far ahead a door looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import trying

from kokubus.hotp import LOOK_AHEAD, door_secret, find, hotp

RFC_SECRET = b"12345678901234567890"
RFC_CODES = (
    "755224", "287082", "359152", "969429", "338314",
    "254676", "287922", "162583", "399871", "520489",
)  # fmt: skip
"""RFC 4226, appendix D, table 2."""
SECRET = door_secret(bytes(range(32)), "dorf-front")


@pytest.mark.parametrize(("counter", "code"), list(enumerate(RFC_CODES)))
def test_the_codes_of_rfc_4226(counter: int, code: str) -> None:
    assert hotp(RFC_SECRET, counter, 6) == code


def test_eight_digits_of_the_same_numbers() -> None:
    assert hotp(RFC_SECRET, 0) == "84755224"
    assert hotp(RFC_SECRET, 1) == "94287082"


def test_each_door_and_each_identity_has_a_secret_of_its_own() -> None:
    others = {
        door_secret(bytes(range(32)), "dorf-front"),
        door_secret(bytes(range(32)), "dorf-back"),
        door_secret(bytes(32), "dorf-front"),
    }
    assert len(others) == 3
    assert {len(secret) for secret in others} == {32}


@trying
@given(st.integers(0, 2**40), st.integers(0, LOOK_AHEAD - 1))
def test_a_code_ahead_is_found_as_far_as_a_door_looks(first: int, ahead: int) -> None:
    assert find(SECRET, hotp(SECRET, first + ahead), first) == first + ahead


@trying
@given(st.integers(1, 2**40))
def test_a_code_behind_or_too_far_ahead_is_none(first: int) -> None:
    near = {hotp(SECRET, n) for n in range(first, first + LOOK_AHEAD)}
    for counter in (first - 1, first + LOOK_AHEAD):
        code = hotp(SECRET, counter)
        assert code in near or find(SECRET, code, first) is None


@pytest.mark.parametrize("typed", ["", "1", "1234567", "123456789", "٣٣٣٣٣٣٣٣"])
def test_what_is_no_code_is_found_nowhere(typed: str) -> None:
    assert find(SECRET, typed, 0) is None
