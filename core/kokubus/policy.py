"""Policies as documents: what is signed, hashed, compared and patched.

A document is `rights.Content` as plain JSON: section -> key -> value, defaults left out. Hub
and door compare documents by the SHA-256 of their canonical encoding, so "applied" means
the door holds exactly what the hub holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from kokubus import wire
from kokubus.errors import PolicyError, WireError
from kokubus.rights import BadgeRules, Content, DoorRules, Right, Window

Document = Mapping[str, Mapping[str, Any]]
SECTIONS: Mapping[str, Any] = {
    "doors": DoorRules,
    "badges": BadgeRules,
    "rights": Right,
    "schedules": tuple[Window, ...],
}


def document_of(content: Content) -> dict[str, dict[str, Any]]:
    """The content as a document."""
    return {
        section: {key: wire.dump(value) for key, value in getattr(content, section).items()}
        for section in SECTIONS
    }


def content_of(document: Document) -> Content:
    """The document as typed content; PolicyError names the entry that is wrong."""
    try:
        return Content(**{name: _section(document, name, cls) for name, cls in SECTIONS.items()})
    except WireError as error:
        raise PolicyError(f"policy cannot be read: {error}") from error


def fingerprint(document: Document) -> str:
    """SHA-256 of the document's one encoding, as 64 hex digits."""
    return sha256(encoded(document)).hexdigest()


def encoded(document: Document) -> bytes:
    """The one encoding of a document: canonical JSON; an empty section is an absent one."""
    filled = {section: entries for section, entries in document.items() if entries}
    return wire.canonical(filled)


def diff(
    old: Document, new: Document
) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[str, ...]]]:
    """(put, drop) that `patch` turns ``old`` into ``new`` with; untouched sections absent."""
    put = {
        section: changed
        for section, entries in new.items()
        if (changed := _changed(old.get(section, {}), entries))
    }
    drop = {
        section: gone
        for section, entries in old.items()
        if (gone := tuple(key for key in entries if key not in new.get(section, {})))
    }
    return put, drop


def patch(
    document: Document, put: Document, drop: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    """A new document with ``put`` laid over and ``drop`` taken out."""
    patched = {section: dict(entries) for section, entries in document.items()}
    for section, keys in drop.items():
        for key in keys:
            patched.get(section, {}).pop(key, None)
    for section, entries in put.items():
        patched.setdefault(section, {}).update(entries)
    return patched


def _section(document: Document, name: str, cls: Any) -> dict[str, Any]:
    return wire.load(dict[str, cls], document.get(name, {}), f"section {name}")


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    missing = object()
    return {key: value for key, value in new.items() if old.get(key, missing) != value}
