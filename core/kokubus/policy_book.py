"""A policy's document as a door holds it: typed to decide by, encoded to be hashed and kept.

Both in pages of some entries, so that a change costs what it changes and not what the door
knows, and so that no single step keeps the interpreter from a tap for longer than a page takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from kokubus import wire
from kokubus.errors import PolicyError, WireError
from kokubus.messages import PolicyNumber
from kokubus.policy import SECTIONS, Document
from kokubus.rights import Content, Policy

_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class _Page:
    """Entries from the key ``first`` on, as they came and as they are encoded."""

    first: str
    entries: Mapping[str, Any]
    text: bytes


_Pages = tuple[_Page, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """A document: its policy, and the pages of each section."""

    policy: Policy
    _sections: Mapping[str, _Pages]

    def changed(
        self,
        put: Document,
        drop: Mapping[str, tuple[str, ...]],
        number: PolicyNumber | None = None,
        max_age_ms: int | None = None,
    ) -> Book:
        """A new book with ``put`` laid over and ``drop`` taken out; PolicyError as `read`."""
        content = self.policy.content
        typed = {
            name: _laid_over(getattr(content, name), _typed(put, name), drop.get(name, ()))
            for name in SECTIONS
        }
        sections = {
            name: _turned(self._sections.get(name, ()), put.get(name, {}), drop.get(name, ()))
            for name in self._sections.keys() | put.keys()
        }
        touched = {*put.get("rights", {}), *drop.get("rights", ())}
        policy = self.policy.changed(Content(**typed), touched, number, max_age_ms)
        return Book(policy, sections)

    def encoded(self) -> Iterator[bytes]:
        """`policy.encoded` of the document, in pieces."""
        between = b"{"
        for name in sorted(name for name, pages in self._sections.items() if pages):
            yield between + wire.canonical(name) + b":{"
            for number, page in enumerate(self._sections[name]):
                yield b"," + page.text if number else page.text
            between = b"},"
        yield b"{}" if between == b"{" else b"}}"

    def fingerprint(self) -> str:
        """`policy.fingerprint` of the document."""
        digest = sha256()
        for piece in self.encoded():
            digest.update(piece)
        return digest.hexdigest()


def read(
    document: Document, number: PolicyNumber | None = None, max_age_ms: int | None = None
) -> Book:
    """A document as a book; PolicyError names the entry that is wrong."""
    content = Content(**{name: _typed(document, name) for name in SECTIONS})
    sections = {name: _paged(section) for name, section in document.items()}
    return Book(Policy(content, number, max_age_ms), sections)


def _typed(document: Document, name: str) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    cls: Any = dict[str, SECTIONS[name]]  # type: ignore[valid-type]  # pydantic reads it
    try:
        for some in _some(document.get(name, {})):
            typed |= wire.load(cls, some, f"section {name}")
    except WireError as error:
        raise PolicyError(f"policy cannot be read: {error}") from error
    return typed


def _some(section: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """As many entries as go on a page, in the order of their keys."""
    keys = sorted(section)
    for first in range(0, len(keys), _A_PAGE):
        yield {key: section[key] for key in keys[first : first + _A_PAGE]}


def _paged(section: Mapping[str, Any]) -> _Pages:
    return tuple(_page(min(some), some) for some in _some(section))


def _page(first: str, entries: Mapping[str, Any]) -> _Page:
    return _Page(first, entries, wire.canonical(entries)[1:-1])


def _turned(pages: _Pages, put: Mapping[str, Any], drop: tuple[str, ...]) -> _Pages:
    """Only pages that a key stands on, or would, are written anew."""
    if not pages:
        return _paged(put)
    firsts = [page.first for page in pages]
    touched: dict[int, list[str]] = {}
    for key in (*put, *drop):
        touched.setdefault(max(0, bisect_right(firsts, key) - 1), []).append(key)
    made = list(pages)
    for number, keys in touched.items():
        mine = {key: put[key] for key in keys if key in put}
        gone = tuple(key for key in keys if key not in put)
        entries = _laid_over(pages[number].entries, mine, gone)
        made[number] = _page(pages[number].first, entries)
    return tuple(page for page in made if page.entries)


def _laid_over(old: Mapping[str, Any], put: Mapping[str, Any], drop: tuple[str, ...]) -> Any:
    if not (put or drop):
        return old
    laid = dict(old)
    for key in drop:
        laid.pop(key, None)
    return {**laid, **put}
