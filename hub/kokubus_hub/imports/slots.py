"""What a calendar says, as times in which somebody has a room."""

from __future__ import annotations

from dataclasses import dataclass, field

from kokubus.messages import Instant


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody an event names, as its organizer or as an attendee who has not declined."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One occurrence: when, who it names (the organizer first), and what it is called.

    ``date`` is set for a whole day. ``recurrence_id`` tells occurrences of a ``uid`` apart.
    ``event`` is set where its categories say that it is a public event.
    """

    uid: str
    recurrence_id: str
    start: Instant
    end: Instant
    date: str | None
    title: str
    people: tuple[Named, ...] = ()
    event: bool = False


@dataclass(slots=True)
class Calendar:
    """What a file holds between two instants; ``uids`` also of events that were cancelled.

    ``off`` are the occurrences it says do not take place: (UID, RECURRENCE-ID), and (UID, "*")
    where all of an event is cancelled.
    """

    uids: set[str] = field(default_factory=set)
    slots: list[Slot] = field(default_factory=list)
    off: set[tuple[str, str]] = field(default_factory=set)

    def says_off(self, uid: str, recurrence_id: str) -> bool:
        """Whether it names this occurrence as one that does not take place."""
        named = recurrence_id.partition("#")[0]  # a day of several
        return not self.off.isdisjoint({(uid, "*"), (uid, named)})
