"""What may leave the house: k = 5, rounding to 5, complementary suppression, one partition.

Design section 11. The rules, and what each is against:

- A figure about fewer than `K` distinct people is not given (a person among few is known).
- Counts are rounded to `STEP` (a total and its parts no longer give away one person).
- Parts of a total: if the parts that are held back concern fewer than `K` people together, the
  smallest part that is left is held back as well (total minus parts).
- Time is cut once: each week is released as days, or as a whole, or not before its stay is over,
  together with the stay's other weeks like it. What is released stays as it is, and everything
  longer or wider (a stay, a year, a municipality) is added up from what was released. So no
  subtraction of two exports says more than the exports (`kokubus_hub.reports.release`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

K = 5
STEP = 5
Key = TypeVar("Key")


class Level(StrEnum):
    """How finely a stretch of time may be told."""

    DAY = "day"
    WEEK = "week"
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class Part:
    """A count and whom it is about."""

    count: float
    people: frozenset[int]


def rounded(count: float) -> int:
    """To the nearest multiple of `STEP`, halves up."""
    return STEP * int(count / STEP + 0.5)


def may_tell(people: frozenset[int]) -> bool:
    """Whether enough distinct people stand behind a figure."""
    return len(people) >= K


def partition(parts: Mapping[Key, Part]) -> dict[Key, int | None]:
    """Parts whose sum is told too, rounded; None for those that are held back.

    A count of which nobody knows whom it is about may be about one. Parts with nobody in them
    are 0 where nothing else is held back; else they are hidden among the others, so that "0" and
    "held back" cannot be told apart by elimination.
    """
    hidden = {key for key, part in parts.items() if part.count and not may_tell(part.people)}
    while hidden and not may_tell(_union(parts, hidden)):
        left = [key for key in parts if key not in hidden]
        if not left:
            break
        hidden.add(min(left, key=lambda key: (len(parts[key].people), parts[key].count)))
    return {key: None if key in hidden else rounded(part.count) for key, part in parts.items()}


def _union(parts: Mapping[Key, Part], keys: set[Key]) -> frozenset[int]:
    return frozenset().union(*(parts[key].people for key in keys))


def level_of(days: Sequence[frozenset[int]]) -> Level:
    """How finely a week may be told, from the people of each of its days with any.

    Days only if each day may be told: a day that is missing from a told week is known by its
    absence. STAY: not yet, the week waits for the stay's others.
    """
    present = [people for people in days if people]
    if present and all(may_tell(people) for people in present):
        return Level.DAY
    return Level.WEEK if may_tell(frozenset().union(*present)) else Level.STAY
