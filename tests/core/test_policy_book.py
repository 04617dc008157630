"""A policy entry by entry is the same policy: hashed, decided and changed alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.core import strategies as some
from tests.core.strategies import trying

from kokubus.access import decide
from kokubus.errors import PolicyError
from kokubus.messages import PolicyNumber
from kokubus.policy import (
    Document,
    content_of,
    diff,
    document_of,
    encoded,
    fingerprint,
    patch,
)
from kokubus.policy_book import Book, read
from kokubus.rights import Content, Policy

NUMBER, AGE = PolicyNumber(2, 9), 1_000


def same(book: Book, document: Document) -> None:
    """The book is that document, in every respect."""
    assert b"".join(book.encoded()) == encoded(document)
    assert book.fingerprint() == fingerprint(document)
    plain = Policy(content_of(document), NUMBER, AGE)
    assert book.policy.content == plain.content
    assert (book.policy.number, book.policy.max_age_ms) == (NUMBER, AGE)
    for member in (*some.MEMBERS, None):
        assert book.policy.rights_of(member) == plain.rights_of(member)
    for question in some.questions(20, seed=7):
        assert decide(book.policy, *question) == decide(plain, *question)


@trying
@given(some.contents)
def test_a_document_read_is_that_document(content: Content) -> None:
    same(read(document_of(content), NUMBER, AGE), document_of(content))


@trying
@given(some.contents, some.contents, some.contents)
def test_any_row_of_changes_leads_to_what_it_says(
    first: Content, second: Content, third: Content
) -> None:
    document = document_of(first)
    book = read(document)
    for content in (second, third):
        put, drop = diff(document, document_of(content))
        document = patch(document, put, drop)
        book = book.changed(put, drop, NUMBER, AGE)
        same(book, document)


def test_a_change_leaves_the_book_before_it_alone() -> None:
    document = {"badges": {"b": {"member": "ada"}}, "rights": {}}
    book = read(document, NUMBER, AGE)
    book.changed({"badges": {"c": {"member": "ben"}}}, {"badges": ("b",)})
    same(book, document)


def test_sections_of_another_release_are_hashed_and_not_read() -> None:
    document = {"badges": {"b": {"member": "ada"}}, "weather": {"now": {"rain": 1}}}
    same(read(document, NUMBER, AGE), document)
    put = {"weather": {"now": {"rain": 2}}}
    same(read(document).changed(put, {}, NUMBER, AGE), patch(document, put, {}))


@pytest.mark.parametrize("document", [{}, {"rights": {}}, {"badges": {'ä"\\': {}}}])
def test_what_is_empty_or_has_odd_names(document: Document) -> None:
    same(read(document, NUMBER, AGE), document)


def test_what_is_wrong_is_named_whether_new_or_changed() -> None:
    wrong = {"rights": {"b7": {"member": "ada", "rooms": "hall"}}}
    with pytest.raises(PolicyError, match=r"rights.*b7\.rooms"):
        read(wrong)
    with pytest.raises(PolicyError, match=r"rights.*b7\.rooms"):
        read({}).changed(wrong, {})
