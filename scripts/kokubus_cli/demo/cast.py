"""Who lives in the simulated network. Nobody does: members are called after trees.

Badge numbers are derived from the names, so that they are the same in every demo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

HOUR_MIN = 60
EMAIL = "demo@kokubus.example"
"""The operator's. ``.example`` is nobody's (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A booking of a room, in minutes from the demo's start, rounded to the quarter hour."""

    room: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member. ``room`` is where they want to be, whether or not they may.

    ``plan`` names the site of a standing right, ``key`` that of a keyholder. ``yours`` lives no
    life: the badge lies there for whoever watches the demo.
    """

    tree: str
    room: str
    booking: Slot | None = None
    plan: str | None = None
    key: str | None = None
    suspended: bool = False
    blocked: bool = False
    yours: bool = False

    @property
    def name(self) -> str:
        """Plainly fictional."""
        return f"Mitglied {self.tree}"

    @property
    def badge(self) -> str:
        """What is printed on the badge."""
        return self.tree.lower()

    @property
    def email(self) -> str:
        """Nobody's."""
        return f"{self.badge}@mitglied.example"

    @property
    def uid(self) -> str:
        """Seven bytes as NXP gives them, 04 first; made up."""
        return f"04{sha256(self.badge.encode()).hexdigest()[:10]}80".upper()


def _booked(tree: str, room: str, start: int = -30, end: int = 9 * HOUR_MIN) -> Person:
    return Person(tree=tree, room=room, booking=Slot(room, start, end))


def _planned(tree: str, site: str, room: str) -> Person:
    return Person(tree=tree, room=f"{site}-{room}", plan=site)


def everybody() -> tuple[Person, ...]:
    """The members, in the order they come."""
    return tuple(_members())


GRANTED, DENIED = "ahorn", "erle"
"""Badges for the commands to paste."""


def _members() -> Iterator[Person]:
    hall, meeting = "ettmannsweiler-hall", "ettmannsweiler-meeting"
    yield Person(tree="Ahorn", room=hall, booking=Slot(hall, -30, 540), yours=True)
    yield _booked("Buche", hall, -60, 6 * HOUR_MIN)
    yield _planned("Birke", "ettmannsweiler", "hall")
    yield Person(tree="Erle", room=hall, yours=True)  # has no booking
    yield from (_booked(tree, meeting, -15, 4 * HOUR_MIN) for tree in ("Eiche", "Hasel", "Linde"))
    yield Person(tree="Esche", room=hall, booking=Slot(hall, 180, 300))  # comes too early
    yield Person(tree="Tanne", room=hall, key="ettmannsweiler")
    desks, studio = "bad-liebenzell-desks", "bad-liebenzell-studio"
    yield from (_booked(tree, desks) for tree in ("Fichte", "Kiefer", "Zeder", "Zirbe"))
    yield _planned("Ulme", "bad-liebenzell", "desks")
    yield _planned("Pappel", "bad-liebenzell", "desks")
    yield _booked("Wacholder", studio, -15, 3 * HOUR_MIN)
    yield Person(tree="Mispel", room=desks, booking=Slot(desks, -30, 480), suspended=True)
    workroom = "ebhausen-workroom"
    yield from (_booked(tree, workroom) for tree in ("Kirsche", "Quitte", "Holunder"))
    yield _planned("Weide", "ebhausen", "workroom")
    yield Person(tree="Robinie", room=workroom, booking=Slot(workroom, -30, 480), blocked=True)
    loft, parlour = "ostelsheim-loft", "ostelsheim-parlour"
    yield from (_booked(tree, loft) for tree in ("Speierling", "Elsbeere", "Mehlbeere"))
    yield _planned("Platane", "ostelsheim", "loft")
    yield from (_booked(tree, parlour, -15, 5 * HOUR_MIN) for tree in ("Kastanie", "Walnuss"))
    cabin = "kokubus-cabin"
    yield from (_booked(tree, cabin) for tree in ("Eberesche", "Felsenbirne", "Kornelkirsche"))
    yield _planned("Lorbeer", "kokubus", "cabin")
    yield Person(tree="Feige", room=cabin, booking=Slot(loft, -30, 480))  # is at the wrong place
