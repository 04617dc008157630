"""A code names its hub, and what is sealed opens for nobody else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kokubus import joining

HUB, OTHER = X25519PrivateKey.generate(), X25519PrivateKey.generate()
KEY, OTHER_KEY = (one.public_key().public_bytes_raw() for one in (HUB, OTHER))
SECRET = bytes((7, 19, 40, 77, 250))


def test_a_code_is_eight_letters_that_nobody_mistakes() -> None:
    code = joining.make_code(SECRET, KEY)
    assert code.startswith("7K8D-T")
    assert len(code) == 9
    assert not set(code) & set("ILOU")


@given(st.binary(min_size=5, max_size=5))
def test_it_names_its_hub(secret: bytes) -> None:
    assert joining.names(joining.make_code(secret, KEY), KEY)


def test_another_hub_is_not_the_one_it_names() -> None:
    """Fifteen bits: of a thousand codes hardly one fits another hub by chance."""
    codes = [joining.make_code(n.to_bytes(5), KEY) for n in range(0, 2**32, 2**22)]
    assert sum(joining.names(code, OTHER_KEY) for code in codes) <= 3


@pytest.mark.parametrize("typed", ["7k8d-tabc", " 7K8DTABC ", "7K8D - TABC"])
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert joining.read_code(typed) == "7K8D-TABC"


def test_letters_that_look_alike_are_one() -> None:
    assert joining.read_code("olIi-1000") == "0111-1000"


@pytest.mark.parametrize("typed", ["", "7K8D", "7K8D-TABCD", "7K8D-TAB!", "UUUU-UUUU", "ÄÖÜß-1234"])
def test_what_is_no_code_is_said_to_be_none(typed: str) -> None:
    with pytest.raises(joining.JoinError, match="eight letters and digits"):
        joining.read_code(typed)


def request() -> joining.Request:
    return joining.Request(code="7K8D-TABC", csr="PEM", answer_key=bytes(32))


def test_the_hub_alone_opens_a_request() -> None:
    sealed = joining.seal_request(request(), KEY, X25519PrivateKey.generate())
    assert joining.open_request(sealed, HUB) == request()
    with pytest.raises(joining.JoinError, match="not sealed for this hub"):
        joining.open_request(sealed, OTHER)
    assert "7K8D" not in repr(request())


@pytest.mark.parametrize("damaged", ["", "A", "!", "AAAA", "A" * 200])
def test_a_damaged_request_is_refused(damaged: str) -> None:
    with pytest.raises(joining.JoinError):
        joining.open_request(damaged, HUB)


def test_the_device_alone_opens_the_answer() -> None:
    sealed = joining.seal_answer({"device": "dorf-1"}, bytes(32), bytes(12))
    assert joining.open_answer(sealed, bytes(32)) == {"device": "dorf-1"}
    with pytest.raises(joining.JoinError, match="somebody is in between"):
        joining.open_answer(sealed, bytes([1] * 32))
    with pytest.raises(joining.JoinError, match="somebody is in between"):
        joining.open_answer("AAAA", bytes(32))
